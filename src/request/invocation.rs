//! One invocation as a call takes it: the request's fields, a shared payload, and the settings of this call.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;

use crate::config::config::RetryMode;
use crate::request::fields::InvocationRequest;

/// A snapshot of a request and the settings of this call alone. Cloning it does not copy the payload.
#[derive(Clone, Default)]
pub struct Invocation {
    /// Every field but the payload.
    pub(crate) request: InvocationRequest,
    pub(crate) payload: Bytes,
    pub(crate) timeout: Option<Duration>,
    pub(crate) retry: Option<RetryMode>,
}

impl Invocation {
    /// Sets the time after which the whole call ends, waiting for a connection and retries included. 0 is the client's
    /// timeout.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = (!timeout.is_zero()).then_some(timeout);
        self
    }

    /// Sets the retry mode of this call instead of the client's.
    #[must_use]
    pub fn retry(mut self, mode: RetryMode) -> Self {
        self.retry = Some(mode);
        self
    }
}

/// Takes the payload over without a copy.
impl From<InvocationRequest> for Invocation {
    fn from(mut request: InvocationRequest) -> Self {
        let payload = request.payload.take().unwrap_or_default().into();
        Self { request, payload, ..Self::default() }
    }
}

/// Copies the payload. Pass the request itself, or keep an `Invocation`, where that matters.
impl From<&InvocationRequest> for Invocation {
    fn from(request: &InvocationRequest) -> Self {
        request.clone().into()
    }
}

/// Shares the payload.
impl From<&Invocation> for Invocation {
    fn from(invocation: &Invocation) -> Self {
        invocation.clone()
    }
}

impl fmt::Debug for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Invocation")
            .field("request", &self.request)
            .field("payload_len", &self.payload.len())
            .field("timeout", &self.timeout)
            .field("retry", &self.retry)
            .finish()
    }
}
