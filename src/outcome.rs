//! What became of a call.

use std::fmt;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::status::{Execution, Status};

/// The result of [`Client::invoke`](crate::Client::invoke). Every failure is an outcome too.
///
/// Every text in it that a server wrote is one line without control characters, of at most 64 KiB: a line break becomes a
/// space, another control character, half a surrogate pair and what is not UTF-8 become U+FFFD, and a longer text ends in
/// "...". The payload and the log are left as they are.
///
/// # What HTTP/1.1 cannot tell
///
/// - A response over plain http that has neither a Content-Length nor chunks ends with its connection. One that was cut
///   looks the same, so its payload may not be whole, although the status is `Ok`. Over TLS a connection that breaks is
///   told apart, and the status is `Io`. If an error without a code comes in such a response, its execution is `Unknown`.
/// - Responses carry no number. If a server, or something between it and this library, sends a second response that
///   nobody asked for, and it arrives after the next request has left on the same connection, it is taken for the
///   response to that request. So put nothing between this library and Lambda that you would not trust with the responses
///   themselves; end-to-end TLS keeps everything but the server out.
#[derive(Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What became of the call.
    pub status: Status,
    /// Whether the function ran; the highest of all attempts.
    pub execution: Execution,
    /// The HTTP status of the last response; 0 if there was none.
    pub http_status: u16,
    /// The number of attempts begun, those that found no connection included; 0 if the call was refused before the first.
    pub attempts: u32,
    /// The number of attempts after which it is not known whether they ran the function; each is a possible extra run.
    pub unknown_attempts: u32,
    /// What the function returned or threw, byte for byte; empty unless the status is `Ok` or `FunctionError`. See above
    /// for what may be cut.
    pub payload: Vec<u8>,
    /// The decoded tail of the log; `None` if none was sent or it could not be decoded.
    pub log: Option<Vec<u8>>,
    /// The value of X-Amz-Function-Error; `None` if the function did not fail.
    pub function_error: Option<String>,
    /// The function's errorType, if it is a string, or the service's error code without namespace and suffix.
    pub error_type: Option<String>,
    /// Why the call failed. Of a function that failed it is the errorMessage; one that is not a string is given as its JSON.
    /// `None` only if the status is `Ok`. Never holds a secret.
    pub error_message: Option<String>,
    /// The reason that the service gave for throttling the call.
    pub throttle_reason: Option<String>,
    /// How long the last response asked to wait. A date is compared with the response's own Date.
    pub retry_after: Option<Duration>,
    /// The x-amzn-RequestId of the last response.
    pub request_id: Option<String>,
    /// The version that ran, from X-Amz-Executed-Version.
    pub executed_version: Option<String>,
    /// The X-Amz-Durable-Execution-Arn.
    pub durable_execution_arn: Option<String>,
    /// The Content-Type of the last attempt's response.
    pub content_type: Option<String>,
    /// The time from the call to its end, waits and retries included.
    pub duration: Duration,
}

impl Outcome {
    /// Makes an outcome without a response.
    pub(crate) fn without_response(status: Status, execution: Execution, message: impl Into<String>) -> Self {
        Self { error_message: Some(message.into()), ..Self::empty(status, execution) }
    }

    /// Makes the outcome of a call that was refused before anything was sent.
    pub(crate) fn refused(error: &Error) -> Self {
        Self::without_response(error.status(), Execution::None, error.message())
    }

    /// Makes the outcome of a call that began at `started` and that a panic inside the library ended.
    pub(crate) fn panicked(started: Instant) -> Self {
        let message = "a panic was caught inside the library; please report it";
        let outcome = Self::without_response(Status::Internal, Execution::Unknown, message);
        Self { duration: started.elapsed(), ..outcome }
    }

    /// Makes an outcome of which only status and execution are known.
    pub(crate) fn empty(status: Status, execution: Execution) -> Self {
        Self {
            status,
            execution,
            http_status: 0,
            attempts: 0,
            unknown_attempts: 0,
            payload: Vec::new(),
            log: None,
            function_error: None,
            error_type: None,
            error_message: None,
            throttle_reason: None,
            retry_after: None,
            request_id: None,
            executed_version: None,
            durable_execution_arn: None,
            content_type: None,
            duration: Duration::ZERO,
        }
    }
}

/// Shows payload and log by their length only: they are the user's, and may be large.
impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("status", &self.status)
            .field("execution", &self.execution)
            .field("http_status", &self.http_status)
            .field("attempts", &self.attempts)
            .field("unknown_attempts", &self.unknown_attempts)
            .field("payload_len", &self.payload.len())
            .field("log_len", &self.log.as_ref().map(Vec::len))
            .field("function_error", &self.function_error)
            .field("error_type", &self.error_type)
            .field("error_message", &self.error_message)
            .field("throttle_reason", &self.throttle_reason)
            .field("retry_after", &self.retry_after)
            .field("request_id", &self.request_id)
            .field("executed_version", &self.executed_version)
            .field("durable_execution_arn", &self.durable_execution_arn)
            .field("content_type", &self.content_type)
            .field("duration", &self.duration)
            .finish()
    }
}
