//! The one door to the caller's code: callbacks, interrupts, log sinks and releases, in the midst of a call or not.

use crate::driver::fork_barrier::ForkBarrier;
use crate::platform::signals;

/// Runs the caller's code with the signal mask that the caller's thread had when it entered the library, and outside of the
/// fork barrier: a fork does not wait for it, and it may fork.
pub(crate) fn run_callers_code<T>(code: impl FnOnce() -> T) -> T {
    ForkBarrier::outside(|| signals::with_callers_mask(code))
}
