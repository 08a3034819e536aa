//! The fork of a model: it runs the handlers that the library has registered, and is over in between.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::platform::process_mark;

struct Handlers {
    before: extern "C" fn(),
    in_parent: extern "C" fn(),
    in_child: extern "C" fn(),
}

/// Registered when the program is loaded.
static HANDLERS: OnceLock<Handlers> = OnceLock::new();

pub(crate) fn register(before: extern "C" fn(), in_parent: extern "C" fn(), in_child: extern "C" fn()) {
    let _ = HANDLERS.set(Handlers { before, in_parent, in_child });
}

/// Numbers the threads: those of loom all run on one thread of the system.
pub(crate) fn this_thread() -> usize {
    static THREADS: AtomicUsize = AtomicUsize::new(1);
    loom::thread_local! {
        static NUMBER: usize = THREADS.fetch_add(1, Ordering::Relaxed)
    }
    NUMBER.with(|number| *number)
}

/// Forks, and goes on in the parent. At the fork itself `at_fork` runs.
pub(crate) fn fork_in_parent<T>(at_fork: impl FnOnce() -> T) -> T {
    let Handlers { before, in_parent, .. } = HANDLERS.get().unwrap();
    before();
    let result = at_fork();
    in_parent();
    result
}

/// Forks, and goes on in the child.
pub(crate) fn fork_in_child() {
    let Handlers { before, in_child, .. } = HANDLERS.get().unwrap();
    before();
    process_mark::fork();
    in_child();
}
