//! The host's code, run in the midst of a call.

use super::gate::Gate;
use super::signals;

/// With the signal mask that the host's thread had when it entered the library; and a fork does not wait for it.
pub(crate) fn with_hosts_mask<T>(code: impl FnOnce() -> T) -> T {
    Gate::outside(|| signals::with_hosts_mask(code))
}
