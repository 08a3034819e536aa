//! What one attempt came to: its outcome, and what that means for another attempt. With `response` (attempts that got the
//! head of a response) this is the table "Did it run?" of ARCHITECTURE.md.

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

/// One attempt's outcome, of which the call fills in times and counts, and what may follow.
#[derive(Debug)]
pub(crate) struct Classification {
    pub(crate) outcome: Outcome,
    pub(crate) again: RetryHint,
}

/// What the evidence says about another attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryHint {
    /// Another attempt would not help, or might run the function twice.
    No,
    /// The function certainly did not run, and another attempt may succeed.
    Safe { connect_timeout: bool },
    /// One attempt at once may succeed, with credentials that the service has not rejected.
    WithNewCredentials,
    /// One attempt at once may succeed if the clock was off by more than `tolerance`: it was `date` at the server.
    WithClockSet { date: SystemTime, tolerance: Duration },
}

impl Classification {
    /// Makes a classification after which there is no other attempt.
    pub(crate) fn end(outcome: Outcome) -> Self {
        Self { outcome, again: RetryHint::No }
    }

    /// Makes the classification of an attempt that was refused before it began.
    pub(crate) fn refused(error: &Error) -> Self {
        Self::end(Outcome::refused(error))
    }

    /// Classifies an attempt without a response: `may_have_left` is the only evidence.
    pub(crate) fn without_response(failure: Failure, may_have_left: bool, request: &HttpRequest) -> Self {
        let safe = |connect_timeout| RetryHint::Safe { connect_timeout };
        // The proxy had the request, and no server behind it.
        if may_have_left && failure.kind != FailureKind::ProxyAuthentication {
            let (status, execution) = match failure.kind {
                FailureKind::Protocol => (Status::Protocol, Execution::Unknown),
                _ => (Status::Io, Execution::Unknown),
            };
            let mut message = failure.message;
            message.push_str(&too_large_perhaps(request));
            return Self::end(Outcome::without_response(status, execution, message));
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
        Self { outcome: Outcome::without_response(status, Execution::None, failure.message), again }
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
