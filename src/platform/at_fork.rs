//! Handlers of forks, and the identity of the thread that forks. Apart from driver/fork_barrier.rs: in tests/loom another file
//! takes its place.

/// Registers functions that run before each fork, and after it in the parent and in the child, on the forking thread. The
/// library is never unloaded, so they stay valid.
pub(crate) fn register(before: extern "C" fn(), in_parent: extern "C" fn(), in_child: extern "C" fn()) {
    // SAFETY: all three are functions of this library. If there is no memory for the registration, then they do not run.
    unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
}

/// Returns the thread's pthread_self, which is the same in a forked child, and never 0.
pub(crate) fn this_thread() -> usize {
    // SAFETY: pthread_self has no precondition.
    unsafe { libc::pthread_self() as usize }
}
