//! The time that requests are signed with: the machine's, corrected by the service's.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

/// The machine's clock and how far it was seen to be off.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead_seconds: AtomicI64,
}

impl Clock {
    /// Returns the corrected time.
    pub(crate) fn now(&self) -> SystemTime {
        let ahead = self.ahead_seconds.load(Ordering::Relaxed);
        let by = Duration::from_secs(ahead.unsigned_abs());
        let machine = SystemTime::now();
        let corrected = if ahead < 0 { machine.checked_sub(by) } else { machine.checked_add(by) };
        corrected.unwrap_or(machine)
    }

    /// Corrects the clock: now it is `date`.
    pub(crate) fn set(&self, date: SystemTime) {
        let machine = SystemTime::now();
        let ahead = match date.duration_since(machine) {
            Ok(ahead) => i64::try_from(ahead.as_secs()).unwrap_or(0),
            Err(behind) => -i64::try_from(behind.duration().as_secs()).unwrap_or(0),
        };
        self.ahead_seconds.store(ahead, Ordering::Relaxed);
    }
}

/// Returns how far two times are apart.
pub(crate) fn difference(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).or_else(|_| other.duration_since(one)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_can_be_set_forwards_and_backwards() {
        let hour = Duration::from_secs(3_600);
        let clock = Clock::default();
        for date in [SystemTime::now() + hour, SystemTime::now() - hour, SystemTime::now()] {
            clock.set(date);
            assert!(difference(clock.now(), date) < Duration::from_secs(5));
        }
    }
}
