//! What one attempt came to: its outcome, and what that means for trying again. With `response` (attempts that got the
//! head of an answer) this is the table "Did it run?" of ARCHITECTURE.md.

use std::time::{Duration, SystemTime};

use crate::error::Error;
use crate::http::transport::{Failure, FailureKind};
use crate::outcome::Outcome;
use crate::request::fields::InvocationType;
use crate::request::http::HttpRequest;
use crate::status::{Execution, Status};

/// A smaller payload is refused for its size by nobody. Source: the Lambda quotas, 6 MB or 1 MB for an Event, once 256 KB;
/// a proxy's limit is often 1 MB.
const PERHAPS_TOO_LARGE: usize = 256 * 1024;

/// One attempt's outcome (its times and counts are the call's to fill in) and what may follow.
#[derive(Debug)]
pub(crate) struct Classification {
    pub(crate) outcome: Outcome,
    pub(crate) again: RetryHint,
}

/// What the evidence says about trying again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryHint {
    /// It would not help, or it might run the function twice.
    No,
    /// It certainly did not run, and may do better next time.
    Safe { connect_timeout: bool },
    /// Worth one try at once with keys that the service has not refused.
    WithNewCredentials,
    /// Worth one try at once if the clock was off by more than `tolerance`: it was `date` at the server.
    WithClockSet { date: SystemTime, tolerance: Duration },
}

impl Classification {
    pub(crate) fn end(outcome: Outcome) -> Self {
        Self { outcome, again: RetryHint::No }
    }

    /// Refused here, before the attempt began.
    pub(crate) fn refused(error: &Error) -> Self {
        Self::end(Outcome::refused(error))
    }

    /// No answer: `may_have_left` is the only evidence.
    pub(crate) fn without_answer(failure: Failure, may_have_left: bool, request: &HttpRequest) -> Self {
        let safe = |connect_timeout| RetryHint::Safe { connect_timeout };
        // The proxy had the request, and nobody behind it.
        if may_have_left && failure.kind != FailureKind::ProxyAuthentication {
            let (status, execution) = match failure.kind {
                FailureKind::Protocol => (Status::Protocol, Execution::Unknown),
                _ => (Status::Io, Execution::Unknown),
            };
            let mut message = failure.message;
            message.push_str(&too_large_perhaps(request));
            return Self::end(Outcome::without_answer(status, execution, message));
        }
        let (status, again) = match failure.kind {
            FailureKind::Resolve { permanent: true } => (Status::Resolve, RetryHint::No),
            FailureKind::Resolve { permanent: false } => (Status::Resolve, safe(false)),
            FailureKind::Connect { timeout } => (Status::Connect, safe(timeout)),
            FailureKind::Tls { certificate: true } => (Status::Tls, RetryHint::No),
            FailureKind::Tls { certificate: false } => (Status::Tls, safe(false)),
            FailureKind::NoDescriptors | FailureKind::ProxyAuthentication => (Status::Connect, RetryHint::No),
            // The connection broke before the request began to leave.
            FailureKind::Io | FailureKind::Protocol => (Status::Connect, safe(false)),
        };
        Self { outcome: Outcome::without_answer(status, Execution::None, failure.message), again }
    }
}

/// Names the size of a payload that may have been refused for it: a response that comes while the payload is still being
/// written is lost with the connection.
fn too_large_perhaps(request: &HttpRequest) -> String {
    let limit = match request.kind {
        InvocationType::Event => "1 MB for an Event",
        InvocationType::RequestResponse | InvocationType::DryRun => "6 MB",
    };
    let length = request.payload.len();
    if length < PERHAPS_TOO_LARGE {
        return String::new();
    }
    format!(
        "; the payload has {length} bytes and may have been refused for its size, in a response that was lost: Lambda takes at \
         most {limit}, a proxy may take less"
    )
}
