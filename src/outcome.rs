//! What became of a call.

use std::fmt;
use std::time::Duration;

use crate::error::Error;
use crate::status::{Execution, Status};

/// The result of [`Client::invoke`](crate::Client::invoke): every failure is one too.
#[derive(Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What became of the call.
    pub status: Status,
    /// Whether the function ran; the highest of all attempts.
    pub execution: Execution,
    /// HTTP status of the last answer; 0 if there was none.
    pub http_status: u16,
    /// Tries begun, those that found no connection included; 0 if refused before the first.
    pub attempts: u32,
    /// Attempts after which nobody knows whether they ran the function; each is a possible extra run.
    pub unknown_attempts: u32,
    /// What the function returned or threw, byte for byte; empty unless the status is `Ok` or `FunctionError`.
    pub payload: Vec<u8>,
    /// The decoded tail of the log; `None` if none was sent or it could not be decoded.
    pub log: Option<Vec<u8>>,
    /// X-Amz-Function-Error as sent; `None` if the function did not fail.
    pub function_error: Option<String>,
    /// The function's errorType, or the service's error code without namespace and suffix.
    pub error_type: Option<String>,
    /// Why; `None` only if the status is `Ok`. Never holds a secret.
    pub error_message: Option<String>,
    /// The Reason of a throttled call.
    pub throttle_reason: Option<String>,
    /// How long the last answer asked to wait.
    pub retry_after: Option<Duration>,
    /// x-amzn-RequestId of the last answer.
    pub request_id: Option<String>,
    /// X-Amz-Executed-Version: the version that ran.
    pub executed_version: Option<String>,
    /// X-Amz-Durable-Execution-Arn.
    pub durable_execution_arn: Option<String>,
    /// Content-Type of the last attempt's answer.
    pub content_type: Option<String>,
    /// From the call to its end, waits and retries included.
    pub duration: Duration,
}

impl Outcome {
    /// An outcome without an answer.
    pub(crate) fn without_answer(status: Status, execution: Execution, message: impl Into<String>) -> Self {
        Self { error_message: Some(message.into()), ..Self::empty(status, execution) }
    }

    /// Refused here, before anything was sent.
    pub(crate) fn refused(error: &Error) -> Self {
        Self::without_answer(error.status(), Execution::None, error.message())
    }

    /// Status and execution, and nothing else known yet.
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

/// Payload and log by length only: they are the user's, and may be large.
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
