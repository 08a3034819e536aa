//! The state of a process, and what takes the place of what the kernel does for it.

pub(crate) mod at_fork;
pub(crate) mod event;
pub(crate) mod limits;
#[path = "../../../src/platform/per_process.rs"]
pub(crate) mod per_process;
pub(crate) mod process_mark;
pub(crate) mod signals;
