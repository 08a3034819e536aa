//! The retry quota of a client, a token bucket: when most calls fail, retrying them all would make matters worse.

use std::sync::atomic::{AtomicU32, Ordering};

const FULL: u32 = 500;

/// The tokens that all calls of a client share. A retry takes some, a success returns one.
#[derive(Debug)]
pub(crate) struct RetryQuota(AtomicU32);

impl Default for RetryQuota {
    fn default() -> Self {
        Self(AtomicU32::new(FULL))
    }
}

impl RetryQuota {
    /// Takes `tokens` and returns true, or takes none if there are fewer.
    pub(crate) fn take(&self, tokens: u32) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(tokens)).is_ok()
    }

    /// Returns one token after a call that succeeded.
    pub(crate) fn refill(&self) {
        let up = |left: u32| (left < FULL).then_some(left + 1);
        // A full bucket takes no more.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, up);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_bucket_is_refilled_by_successes() {
        let retry_quota = RetryQuota::default();
        assert!((0..FULL / 5).all(|_| retry_quota.take(5)));
        assert!(!retry_quota.take(5));
        (0..5).for_each(|_| retry_quota.refill());
        assert!(retry_quota.take(5) && !retry_quota.take(1));
    }

    #[test]
    fn a_bucket_never_holds_more_than_at_first() {
        let retry_quota = RetryQuota::default();
        retry_quota.refill();
        assert!(retry_quota.take(FULL) && !retry_quota.take(1));
    }
}
