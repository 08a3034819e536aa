//! Whether an attempt is followed by another, and after what wait. Pure policy: it reads no clock and does not sleep.

use std::time::Duration;

use crate::config::config::RetryMode;
use crate::response::classification::{Classification, RetryHint};
use crate::status::{Execution, Status};

const BASE: Duration = Duration::from_millis(100);
const BASE_AFTER_THROTTLING: Duration = Duration::from_secs(1);
/// No wait is longer; if the service asks for more, the call ends.
const MAX_WAIT: Duration = Duration::from_secs(20);
const TOKENS: u32 = 5;
const TOKENS_AFTER_CONNECT_TIMEOUT: u32 = 10;

/// A further attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retry {
    pub(crate) wait: Duration,
    /// The cost in the client's retry quota; if the quota has less, there is no further attempt.
    pub(crate) tokens: u32,
}

/// Decides whether `classification`, of the call's attempt number `attempts`, is followed by another attempt. `random` is
/// uniform in 0..=1.
pub(crate) fn decide(
    mode: RetryMode,
    attempts: u32,
    max_attempts: u32,
    classification: &Classification,
    random: f64,
) -> Option<Retry> {
    if mode == RetryMode::None || attempts >= max_attempts {
        return None;
    }
    let outcome = &classification.outcome;
    let tokens = match classification.again {
        RetryHint::Safe { connect_timeout: true } => TOKENS_AFTER_CONNECT_TIMEOUT,
        RetryHint::Safe { connect_timeout: false } => TOKENS,
        _ if mode == RetryMode::Always && outcome.execution == Execution::Unknown => TOKENS,
        _ => return None,
    };
    let asked = outcome.retry_after.unwrap_or_default();
    if asked > MAX_WAIT {
        return None;
    }
    let base = if outcome.status == Status::Throttled { BASE_AFTER_THROTTLING } else { BASE };
    let ceiling = base.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1))).min(MAX_WAIT);
    Some(Retry { wait: ceiling.mul_f64(random.clamp(0.0, 1.0)).max(asked), tokens })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;

    fn classification(status: Status, execution: Execution, again: RetryHint) -> Classification {
        Classification { outcome: Outcome::empty(status, execution), again }
    }

    fn refused() -> Classification {
        classification(Status::Connect, Execution::None, RetryHint::Safe { connect_timeout: false })
    }

    #[test]
    fn the_mode_decides_which_attempts_are_followed_by_another() {
        let unknown = classification(Status::Io, Execution::Unknown, RetryHint::No);
        let ran = classification(Status::Io, Execution::Ran, RetryHint::No);
        let hopeless = classification(Status::Service, Execution::None, RetryHint::No);
        for (mode, classification, again) in [
            (RetryMode::Safe, &refused(), true),
            (RetryMode::None, &refused(), false),
            (RetryMode::Always, &refused(), true),
            (RetryMode::Safe, &unknown, false),
            (RetryMode::None, &unknown, false),
            (RetryMode::Always, &unknown, true),
            (RetryMode::Always, &ran, false),
            (RetryMode::Always, &hopeless, false),
        ] {
            assert_eq!(decide(mode, 1, 3, classification, 0.5).is_some(), again, "{mode:?} {classification:?}");
        }
    }

    #[test]
    fn the_number_of_attempts_is_bounded() {
        assert!(decide(RetryMode::Always, 2, 3, &refused(), 0.5).is_some());
        assert!(decide(RetryMode::Always, 3, 3, &refused(), 0.5).is_none());
        assert!(decide(RetryMode::Safe, 1, 1, &refused(), 0.5).is_none());
    }

    #[test]
    fn waits_double_up_to_a_maximum() {
        let wait = |status, attempts, random| {
            let classification = classification(status, Execution::None, RetryHint::Safe { connect_timeout: false });
            decide(RetryMode::Safe, attempts, u32::MAX, &classification, random).unwrap().wait.as_millis()
        };
        assert_eq!([1, 2, 3, 4].map(|n| wait(Status::Connect, n, 1.0)), [100, 200, 400, 800]);
        assert_eq!([1, 2, 3, 4].map(|n| wait(Status::Throttled, n, 1.0)), [1_000, 2_000, 4_000, 8_000]);
        assert_eq!(wait(Status::Connect, 40, 1.0), 20_000);
        assert_eq!(wait(Status::Connect, 1, 0.0), 0);
        assert_eq!(wait(Status::Connect, 1, 0.5), 50);
    }

    #[test]
    fn retry_after_is_a_lower_bound() {
        let mut asked = refused();
        asked.outcome.retry_after = Some(Duration::from_secs(3));
        assert_eq!(decide(RetryMode::Safe, 1, 3, &asked, 1.0).unwrap().wait, Duration::from_secs(3));
        asked.outcome.retry_after = Some(Duration::from_secs(21));
        assert_eq!(decide(RetryMode::Safe, 1, 3, &asked, 1.0), None);
    }

    #[test]
    fn a_connect_timeout_costs_double() {
        let slow = classification(Status::Connect, Execution::None, RetryHint::Safe { connect_timeout: true });
        assert_eq!(decide(RetryMode::Safe, 1, 3, &slow, 0.0).unwrap().tokens, 10);
        assert_eq!(decide(RetryMode::Safe, 1, 3, &refused(), 0.0).unwrap().tokens, 5);
    }
}
