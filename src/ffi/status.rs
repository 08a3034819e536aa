//! The numbers of the ABI.

use std::ffi::{CStr, c_char};

use super::guard::entry;
use crate::status::{Execution, Status};

/// The status of a call or of a function of this library: LAMBDA_OK, or why not. Numbers above 0 are answers that are
/// not errors of the library, numbers below 0 are errors.
pub type lambda_status = i32;

/// The call succeeded: the function returned, the event was queued, or the dry run was allowed.
pub const LAMBDA_OK: i32 = 0;
/// The function ran and failed: error_type and error_message are the function's own.
pub const LAMBDA_FUNCTION_ERROR: i32 = 1;
/// The stream is over: the status of its result is LAMBDA_OK or LAMBDA_FUNCTION_ERROR.
pub const LAMBDA_END: i32 = 2;
/// Nothing arrived in time; call again.
pub const LAMBDA_PENDING: i32 = 3;
/// A value cannot be sent, a required object is NULL, or a number does not exist.
pub const LAMBDA_E_INVALID_ARGUMENT: i32 = -1;
/// There is no region or no such profile, a setting in code, in the environment or in a file is invalid, a CA file
/// cannot be read, or settings contradict each other, such as FIPS with a custom endpoint.
pub const LAMBDA_E_CONFIG: i32 = -2;
/// There are no usable credentials; error_message lists every source that was searched.
pub const LAMBDA_E_CREDENTIALS: i32 = -3;
/// The endpoint's name could not be resolved.
pub const LAMBDA_E_RESOLVE: i32 = -4;
/// There was no connection: refused, unreachable, connect timeout, or rejected by the proxy.
pub const LAMBDA_E_CONNECT: i32 = -5;
/// The TLS handshake failed.
pub const LAMBDA_E_TLS: i32 = -6;
/// The connection broke after the request had begun to leave; execution tells what is known.
pub const LAMBDA_E_IO: i32 = -7;
/// The deadline of the call passed; execution tells whether anything had been sent.
pub const LAMBDA_E_TIMEOUT: i32 = -8;
/// The caller cancelled the call.
pub const LAMBDA_E_CANCELLED: i32 = -9;
/// The request was throttled; throttle_reason and retry_after_ms tell more.
pub const LAMBDA_E_THROTTLED: i32 = -10;
/// The service responded with an HTTP error; error_type is its code, if it sent one.
pub const LAMBDA_E_SERVICE: i32 = -11;
/// The response is not one of this API: not HTTP, a redirect, an unexpected status, or from somebody else than
/// Lambda.
pub const LAMBDA_E_PROTOCOL: i32 = -12;
/// The response is longer than max_response_bytes.
pub const LAMBDA_E_TOO_LARGE: i32 = -13;
/// A panic was caught inside the library; please report it.
pub const LAMBDA_E_INTERNAL: i32 = -14;
/// There was no memory for the call, its payload or its response.
pub const LAMBDA_E_NO_MEMORY: i32 = -15;

/// It cannot be known whether the function ran: it may have run, may be running, or may run yet.
pub const LAMBDA_EXECUTION_UNKNOWN: i32 = 0;
/// The function certainly did not run, and will not.
pub const LAMBDA_EXECUTION_NONE: i32 = 1;
/// The function was started; the status tells how it went.
pub const LAMBDA_EXECUTION_RAN: i32 = 2;
/// Lambda accepted the event (HTTP 202) and will run the function by its own rules: at least once, and again after
/// errors.
pub const LAMBDA_EXECUTION_QUEUED: i32 = 3;

/// Waits for the function's response.
pub const LAMBDA_INVOCATION_REQUEST_RESPONSE: i32 = 0;
/// Queues the event; Lambda runs the function later.
pub const LAMBDA_INVOCATION_EVENT: i32 = 1;
/// Only checks that the caller may invoke the function.
pub const LAMBDA_INVOCATION_DRY_RUN: i32 = 2;

/// The response carries no log.
pub const LAMBDA_LOG_TYPE_NONE: i32 = 0;
/// The response carries the last 4 KB of the function's log.
pub const LAMBDA_LOG_TYPE_TAIL: i32 = 1;

/// Retries only attempts after which the function certainly did not run.
pub const LAMBDA_RETRY_SAFE: i32 = 0;
/// Never retries.
pub const LAMBDA_RETRY_NONE: i32 = 1;
/// Also retries attempts that may have run the function: for functions that may run twice.
pub const LAMBDA_RETRY_ALWAYS: i32 = 2;

/// Returns the version of the library as a number.
///
/// @return major * 1000000 + minor * 1000 + patch.
#[unsafe(no_mangle)]
pub extern "C" fn lambda_version_number() -> u32 {
    VERSION_NUMBER
}

/// Returns the version of the library as text.
///
/// @return Such as "0.1.0"; static, never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn lambda_version() -> *const c_char {
    VERSION.as_ptr()
}

/// Names a status.
///
/// @return Such as "LAMBDA_E_TIMEOUT"; "LAMBDA_STATUS_UNKNOWN" for a number that this version does not know. Static,
/// never NULL.
#[unsafe(no_mangle)]
pub extern "C" fn lambda_status_name(status: lambda_status) -> *const c_char {
    entry(|_| c"LAMBDA_STATUS_UNKNOWN".as_ptr(), || status_name(status).as_ptr())
}

const VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => c"",
};

const VERSION_NUMBER: u32 = decimal(env!("CARGO_PKG_VERSION_MAJOR")) * 1_000_000
    + decimal(env!("CARGO_PKG_VERSION_MINOR")) * 1_000
    + decimal(env!("CARGO_PKG_VERSION_PATCH"));

const fn decimal(digits: &str) -> u32 {
    let digits = digits.as_bytes();
    let (mut number, mut at) = (0, 0);
    while at < digits.len() {
        number = number * 10 + (digits[at] - b'0') as u32;
        at += 1;
    }
    number
}

pub(super) fn number(status: Status) -> lambda_status {
    match status {
        Status::Ok => LAMBDA_OK,
        Status::FunctionError => LAMBDA_FUNCTION_ERROR,
        Status::InvalidArgument => LAMBDA_E_INVALID_ARGUMENT,
        Status::Config => LAMBDA_E_CONFIG,
        Status::Credentials => LAMBDA_E_CREDENTIALS,
        Status::Resolve => LAMBDA_E_RESOLVE,
        Status::Connect => LAMBDA_E_CONNECT,
        Status::Tls => LAMBDA_E_TLS,
        Status::Io => LAMBDA_E_IO,
        Status::Timeout => LAMBDA_E_TIMEOUT,
        Status::Cancelled => LAMBDA_E_CANCELLED,
        Status::Throttled => LAMBDA_E_THROTTLED,
        Status::Service => LAMBDA_E_SERVICE,
        Status::Protocol => LAMBDA_E_PROTOCOL,
        Status::TooLarge => LAMBDA_E_TOO_LARGE,
        Status::Internal => LAMBDA_E_INTERNAL,
        Status::NoMemory => LAMBDA_E_NO_MEMORY,
    }
}

pub(super) fn execution_number(execution: Execution) -> i32 {
    match execution {
        Execution::Unknown => LAMBDA_EXECUTION_UNKNOWN,
        Execution::None => LAMBDA_EXECUTION_NONE,
        Execution::Ran => LAMBDA_EXECUTION_RAN,
        Execution::Queued => LAMBDA_EXECUTION_QUEUED,
    }
}

pub(super) fn status_name(status: lambda_status) -> &'static CStr {
    match status {
        LAMBDA_OK => c"LAMBDA_OK",
        LAMBDA_FUNCTION_ERROR => c"LAMBDA_FUNCTION_ERROR",
        LAMBDA_END => c"LAMBDA_END",
        LAMBDA_PENDING => c"LAMBDA_PENDING",
        LAMBDA_E_INVALID_ARGUMENT => c"LAMBDA_E_INVALID_ARGUMENT",
        LAMBDA_E_CONFIG => c"LAMBDA_E_CONFIG",
        LAMBDA_E_CREDENTIALS => c"LAMBDA_E_CREDENTIALS",
        LAMBDA_E_RESOLVE => c"LAMBDA_E_RESOLVE",
        LAMBDA_E_CONNECT => c"LAMBDA_E_CONNECT",
        LAMBDA_E_TLS => c"LAMBDA_E_TLS",
        LAMBDA_E_IO => c"LAMBDA_E_IO",
        LAMBDA_E_TIMEOUT => c"LAMBDA_E_TIMEOUT",
        LAMBDA_E_CANCELLED => c"LAMBDA_E_CANCELLED",
        LAMBDA_E_THROTTLED => c"LAMBDA_E_THROTTLED",
        LAMBDA_E_SERVICE => c"LAMBDA_E_SERVICE",
        LAMBDA_E_PROTOCOL => c"LAMBDA_E_PROTOCOL",
        LAMBDA_E_TOO_LARGE => c"LAMBDA_E_TOO_LARGE",
        LAMBDA_E_INTERNAL => c"LAMBDA_E_INTERNAL",
        LAMBDA_E_NO_MEMORY => c"LAMBDA_E_NO_MEMORY",
        _ => c"LAMBDA_STATUS_UNKNOWN",
    }
}
