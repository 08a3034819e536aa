//! The only way into the caller's code: callbacks, interrupts, log sinks and releases, whether a call is under way or
//! not.

use crate::driver::fork_barrier::ForkBarrier;
use crate::platform::signals;

/// Runs the caller's code with the signal mask that the caller's thread had when it entered the library. It runs
/// outside the fork barrier: a fork does not wait for it, and it may fork.
pub(crate) fn run_callers_code<T>(code: impl FnOnce() -> T) -> T {
    ForkBarrier::outside(|| signals::with_callers_mask(code))
}
