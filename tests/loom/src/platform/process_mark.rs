//! The mark of a process of the model.

use loom::sync::atomic::{AtomicU64, Ordering};

loom::lazy_static! {
    pub(crate) static ref PROCESSES: AtomicU64 = AtomicU64::new(1);
    static ref MARK: AtomicU64 = AtomicU64::new(0);
}

pub(crate) fn of_this_process() -> Option<&'static AtomicU64> {
    Some(&MARK)
}

/// Turns the process into its child, of which this is the only thread: all memory stays as it is, except that the kernel wipes
/// the mark.
pub(crate) fn fork() {
    MARK.store(0, Ordering::SeqCst);
}
