//! Who drives a call: a runtime on the caller's own thread, and everything that is particular to an operating system.
//!
//! Nothing here runs unless a caller is inside the library, but a name lookup's thread, which ends with it.

mod drive;
mod fork;
mod gate;
mod host;
mod late;
mod limits;
mod lock;
mod patience;
mod pool;
mod process;
mod resolver;
mod runtime;
mod signals;
mod stderr;

pub(crate) use drive::invoke;
pub(crate) use fork::{PerProcess, ThisProcess};
pub(crate) use gate::Gate;
pub(crate) use host::with_hosts_mask;
pub(crate) use patience::Interrupt;
pub(crate) use pool::Pool;
pub(crate) use signals::CancelDisabled;
pub(crate) use stderr::stderr;
