//! What became of a call, and whether its function ran.

/// What became of a call; the numbers that C sees are in `ffi::status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// The function ran and returned, or Lambda took the event, or the dry run found nothing wrong.
    Ok,
    /// The function ran and failed; type and message are its own.
    FunctionError,
    /// Refused here: a field cannot be sent as it is.
    InvalidArgument,
    /// Refused here: a setting is missing, or settings contradict each other.
    Config,
    /// Refused here: no usable credentials.
    Credentials,
    /// The endpoint's name could not be looked up.
    Resolve,
    /// No connection: refused, unreachable, connect timeout.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// The connection broke after the request had begun.
    Io,
    /// The deadline of the call passed.
    Timeout,
    /// The caller ended the call.
    Cancelled,
    /// The service turned the request away for its rate.
    Throttled,
    /// The service answered with an error.
    Service,
    /// The answer makes no sense for this API.
    Protocol,
    /// The answer is longer than `max_response_bytes`.
    TooLarge,
    /// A caught panic.
    Internal,
    /// No memory for a payload or an answer.
    NoMemory,
}

/// Did the function run? Ordered by how much is at stake: over several attempts the highest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Execution {
    /// Certainly not, and it will not.
    None,
    /// Nobody knows: it may have run, may be running, may run yet.
    Unknown,
    /// Lambda took the event (202) and will run it.
    Queued,
    /// It was started; how it went says the status.
    Ran,
}
