//! The only way into the caller's code: callbacks, interrupts, log sinks and releases, whether a call is under way or
//! not.

use std::cell::Cell;

use crate::driver::fork_barrier::ForkBarrier;
use crate::platform::signals;

/// Runs the caller's code with the signal mask that the caller's thread had when it entered the library. It runs
/// outside the fork barrier: a fork does not wait for it, and it may fork.
pub(crate) fn run_callers_code<T>(code: impl FnOnce() -> T) -> T {
    ForkBarrier::outside(|| signals::with_callers_mask(code))
}

thread_local! {
    /// This thread runs a log callback. Without a destructor, so it can be read at the very end of a thread.
    static LOGS: Cell<bool> = const { Cell::new(false) };
}

/// Runs the caller's log callback, which must not call this library.
pub(crate) fn run_log_callback(code: impl FnOnce()) {
    let _logs = Logs(LOGS.replace(true));
    run_callers_code(code);
}

/// Returns whether this thread runs a log callback.
pub(crate) fn runs_log_callback() -> bool {
    LOGS.get()
}

struct Logs(bool);

impl Drop for Logs {
    fn drop(&mut self) {
        LOGS.set(self.0);
    }
}
