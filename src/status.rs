//! What became of a call, and whether its function ran.

/// What became of a call; the numbers that C sees are in `ffi::status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// The function ran and returned, or Lambda accepted the event, or the dry run found nothing wrong.
    Ok,
    /// The function ran and failed; error type and message are its own.
    FunctionError,
    /// The call was refused here: a field cannot be sent as it is.
    InvalidArgument,
    /// The call was refused here: a setting is missing, or settings contradict each other.
    Config,
    /// The call was refused here: there are no usable credentials.
    Credentials,
    /// The endpoint's name could not be looked up.
    Resolve,
    /// No connection could be made: it was refused, the host is unreachable, or the connect timeout passed.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// The connection broke after the request had begun to leave.
    Io,
    /// The deadline of the call passed.
    Timeout,
    /// The caller cancelled the call.
    Cancelled,
    /// The request was throttled.
    Throttled,
    /// The service responded with an error.
    Service,
    /// The response is not one of this API.
    Protocol,
    /// The response is longer than `max_response_bytes`.
    TooLarge,
    /// A panic was caught.
    Internal,
    /// There was no memory for the call, its payload or its response.
    NoMemory,
}

/// Whether the function ran. Ordered by how much is at stake: over several attempts the highest counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Execution {
    /// It certainly did not run, and will not.
    None,
    /// That cannot be known: it may have run, may be running, or may run yet.
    Unknown,
    /// Lambda accepted the event (202) and will run it.
    Queued,
    /// It was started; the status says how it went.
    Ran,
}
