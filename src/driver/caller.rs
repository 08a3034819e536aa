//! The host's code, run in the midst of a call.

use crate::driver::fork_barrier::ForkBarrier;
use crate::platform::signals;

/// With the signal mask that the host's thread had when it entered the library; and a fork does not wait for it.
pub(crate) fn run_callers_code<T>(code: impl FnOnce() -> T) -> T {
    ForkBarrier::outside(|| signals::run_callers_code(code))
}
