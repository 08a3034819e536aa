//! The module `platform`: everything that is particular to an operating system.

#[cfg(unix)]
pub(crate) mod at_fork;
pub(crate) mod blocking_work;
pub(crate) mod child_process;
pub(crate) mod event;
pub(crate) mod file_read;
pub(crate) mod limits;
pub(crate) mod name_lookup;
pub(crate) mod native;
pub(crate) mod per_process;
pub(crate) mod private_file;
pub(crate) mod privilege;
pub(crate) mod process_mark;
pub(crate) mod reserve;
pub(crate) mod signals;
pub(crate) mod stderr;
