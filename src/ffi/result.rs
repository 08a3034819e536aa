//! lambda_result.

use std::ffi::{CStr, c_char};

use super::guard::entry;
use super::status::{
    LAMBDA_E_NO_MEMORY, LAMBDA_EXECUTION_NONE, LAMBDA_EXECUTION_QUEUED, LAMBDA_EXECUTION_RAN, LAMBDA_EXECUTION_UNKNOWN,
    LAMBDA_OK, execution_number, lambda_status, number,
};
use super::text::NulTerminated;
use super::{handle, text};
use crate::error::Error;
use crate::outcome::Outcome;
use crate::status::{Execution, Status};

/// What became of one call. Made by the library, read-only, freed by lambda_result_free. Its layout is frozen.
#[repr(C)]
pub struct lambda_result {
    /// LAMBDA_OK, LAMBDA_FUNCTION_ERROR or LAMBDA_E_*.
    pub status: lambda_status,
    /// Whether the function ran: LAMBDA_EXECUTION_*.
    pub execution: i32,
    /// The HTTP status of the last response; 0 if there was none.
    pub http_status: i32,
    /// How many attempts began, including those that found no connection; 0 if the call was refused before the first.
    pub attempts: u32,
    /// What the function returned, or its error document. Empty unless the status is LAMBDA_OK or
    /// LAMBDA_FUNCTION_ERROR. Never NULL; a NUL follows its end. A response over plain HTTP that has neither Content-Length
    /// nor chunks ends with its connection, so it may have been cut without a sign of it.
    pub payload: *const u8,
    /// The length of payload in bytes, without that NUL.
    pub payload_len: usize,
    /// The decoded end of the function's log, as bytes: it may start inside a line, hold NULs, and not be UTF-8; a
    /// NUL follows its end. NULL if none was sent or it was not base64.
    pub log: *const c_char,
    /// The length of log in bytes, without that NUL.
    pub log_len: usize,
    /// X-Amz-Function-Error as sent ("Unhandled", "Handled", ...); NULL if the function did not fail.
    pub function_error: *const c_char,
    /// The function's errorType, or the service's error code without namespace and suffix, else NULL.
    pub error_type: *const c_char,
    /// What went wrong; NULL only if the status is LAMBDA_OK. Begins with the function's name as it was given, except
    /// that the errorMessage of a failed function stands as it is. One line. Never holds a secret.
    pub error_message: *const c_char,
    /// Why the service throttled the request, in its words; else NULL.
    pub throttle_reason: *const c_char,
    /// How long the last response asked to wait; 0 if it did not.
    pub retry_after_ms: u64,
    /// x-amzn-RequestId of the last response; NULL if it had none.
    pub request_id: *const c_char,
    /// The version that ran; NULL if the response did not tell.
    pub executed_version: *const c_char,
    /// X-Amz-Durable-Execution-Arn; NULL if the response had none.
    pub durable_execution_arn: *const c_char,
    /// Microseconds from the call to its end, waits and retries included.
    pub duration_us: u64,
    /// The tag of lambda_queue_submit; 0 for a result of lambda_invoke.
    pub tag: u64,
    /// The Content-Type of the response; NULL if it had none.
    pub content_type: *const c_char,
    /// How many attempts left it unknown whether they ran the function; each is a possible extra run.
    pub unknown_attempts: u32,
    /// 0.
    pub reserved: u32,
}

/// The result that the caller sees, followed by what its pointers point to.
#[repr(C)]
pub(super) struct Owned {
    public: lambda_result,
    parts: Parts,
}

// SAFETY: its first member is the result that C sees.
unsafe impl handle::Object for lambda_result {
    type Inside = Owned;
}

impl handle::OwnedByCaller for lambda_result {}

#[derive(Default)]
struct Parts {
    payload: Option<NulTerminated>,
    log: Option<NulTerminated>,
    texts: [Option<NulTerminated>; 8],
}

/// The results that are returned when there is no memory for a result: one for each of LAMBDA_EXECUTION_*, so that at
/// least the execution is kept, and one for a call that does not begin. They are never changed and never freed.
static NO_MEMORY: [NoMemory; 5] = [
    no_memory(LAMBDA_EXECUTION_UNKNOWN, LOST),
    no_memory(LAMBDA_EXECUTION_NONE, LOST),
    no_memory(LAMBDA_EXECUTION_RAN, LOST),
    no_memory(LAMBDA_EXECUTION_QUEUED, LOST),
    no_memory(LAMBDA_EXECUTION_NONE, c"there is no memory for a call; nothing was sent"),
];

const LOST: &CStr = c"there is no memory for the result; all it held but status and execution is lost";

const fn no_memory(execution: i32, message: &'static CStr) -> NoMemory {
    NoMemory(lambda_result { status: LAMBDA_E_NO_MEMORY, execution, error_message: message.as_ptr(), ..EMPTY })
}

struct NoMemory(lambda_result);

// SAFETY: nothing writes to it, and all its pointers are NULL or to static text.
unsafe impl Sync for NoMemory {}

const EMPTY: lambda_result = lambda_result {
    status: LAMBDA_OK,
    execution: LAMBDA_EXECUTION_NONE,
    http_status: 0,
    attempts: 0,
    payload: c"".as_ptr().cast(),
    payload_len: 0,
    log: std::ptr::null(),
    log_len: 0,
    function_error: std::ptr::null(),
    error_type: std::ptr::null(),
    error_message: std::ptr::null(),
    throttle_reason: std::ptr::null(),
    retry_after_ms: 0,
    request_id: std::ptr::null(),
    executed_version: std::ptr::null(),
    durable_execution_arn: std::ptr::null(),
    duration_us: 0,
    tag: 0,
    content_type: std::ptr::null(),
    unknown_attempts: 0,
    reserved: 0,
};

/// Makes the result of a call, which the caller owns. Never NULL.
pub(super) fn into_raw(outcome: Outcome) -> *mut lambda_result {
    match parts(outcome, 0) {
        (public, Ok(parts)) => assemble(public, parts),
        (public, Err(())) => without_memory(public.execution),
    }
}

/// The memory for a result, taken before the outcome is.
pub(super) struct Place(*mut lambda_result);

impl Place {
    /// Takes the memory. `None`: there is none.
    pub(super) fn new() -> Option<Self> {
        let place = handle::into_raw::<lambda_result>(Owned { public: EMPTY, parts: Parts::default() });
        (!place.is_null()).then_some(Self(place))
    }

    /// Makes the result of a call, which the caller owns. Without memory for its parts, tag, status and execution are kept.
    pub(super) fn fill(self, outcome: Outcome, tag: u64) -> *mut lambda_result {
        let owned = match parts(outcome, tag) {
            (public, Ok(parts)) => pointing_to(public, parts),
            (public, Err(())) => {
                let known = no_memory(public.execution, LOST).0;
                Owned { public: lambda_result { tag, ..known }, parts: Parts::default() }
            }
        };
        let place = self.0;
        // SAFETY: it came from `new`, and nobody else has it.
        if let Some(inside) = unsafe { handle::as_mut(place) } {
            *inside = owned;
        }
        place
    }
}

fn parts(outcome: Outcome, tag: u64) -> (lambda_result, Result<Parts, ()>) {
    let public = lambda_result {
        status: number(outcome.status),
        execution: execution_number(outcome.execution),
        http_status: i32::from(outcome.http_status),
        attempts: outcome.attempts,
        unknown_attempts: outcome.unknown_attempts,
        retry_after_ms: outcome.retry_after.map_or(0, |wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        duration_us: u64::try_from(outcome.duration.as_micros()).unwrap_or(u64::MAX),
        tag,
        ..EMPTY
    };
    let text = |text: Option<String>| text.map(NulTerminated::text).transpose();
    let parts = || {
        Ok(Parts {
            payload: Some(NulTerminated::of(outcome.payload)?),
            log: outcome.log.map(NulTerminated::of).transpose()?,
            texts: [
                text(outcome.function_error)?,
                text(outcome.error_type)?,
                text(outcome.error_message)?,
                text(outcome.throttle_reason)?,
                text(outcome.request_id)?,
                text(outcome.executed_version)?,
                text(outcome.durable_execution_arn)?,
                text(outcome.content_type)?,
            ],
        })
    };
    (public, parts())
}

/// Makes the result of a call that was refused before it began.
pub(super) fn refused(error: &Error) -> *mut lambda_result {
    into_raw(Outcome::refused(error))
}

/// Makes the result of a call in which a panic was caught: it cannot be known how far the call had got.
pub(super) fn panicked(what: String) -> *mut lambda_result {
    into_raw(Outcome::without_response(Status::Internal, Execution::Unknown, what))
}

fn assemble(public: lambda_result, parts: Parts) -> *mut lambda_result {
    let execution = public.execution;
    let result = handle::into_raw::<lambda_result>(pointing_to(public, parts));
    if result.is_null() {
        return without_memory(execution);
    }
    result
}

/// Points the result to its parts.
fn pointing_to(public: lambda_result, parts: Parts) -> Owned {
    let pointer = |part: &Option<NulTerminated>| part.as_ref().map_or(std::ptr::null(), NulTerminated::as_ptr);
    let length = |part: &Option<NulTerminated>| part.as_ref().map_or(0, NulTerminated::len);
    let [function_error, error_type, error_message, throttle_reason, request_id, executed_version, arn, content_type] =
        &parts.texts;
    let public = lambda_result {
        payload: if parts.payload.is_some() { pointer(&parts.payload) } else { EMPTY.payload },
        payload_len: length(&parts.payload),
        log: pointer(&parts.log).cast(),
        log_len: length(&parts.log),
        function_error: pointer(function_error).cast(),
        error_type: pointer(error_type).cast(),
        error_message: pointer(error_message).cast(),
        throttle_reason: pointer(throttle_reason).cast(),
        request_id: pointer(request_id).cast(),
        executed_version: pointer(executed_version).cast(),
        durable_execution_arn: pointer(arn).cast(),
        content_type: pointer(content_type).cast(),
        ..public
    };
    Owned { public, parts }
}

/// Returns the result of a call that does not begin, since there is no memory for it.
pub(super) fn refused_without_memory() -> *mut lambda_result {
    let [.., refused] = &NO_MEMORY;
    std::ptr::from_ref(&refused.0).cast_mut()
}

fn without_memory(execution: i32) -> *mut lambda_result {
    let known = NO_MEMORY.iter().find(|result| result.0.execution == execution).unwrap_or(&NO_MEMORY[0]);
    std::ptr::from_ref(&known.0).cast_mut()
}

/// Copies a result deeply. This is also the way to make a result for tests: fill a zeroed struct lambda_result and
/// clone it.
///
/// @return Never NULL. Owned by the caller: lambda_result_free.
///
/// # Safety
/// NULL, or a result whose pointers are NULL or valid for their lengths, strings NUL-terminated.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_result_clone(result: *const lambda_result) -> *mut lambda_result {
    entry(panicked, || {
        // SAFETY: the caller guarantees it.
        let Some(from) = (unsafe { result.as_ref() }) else {
            return refused(&Error::argument("result: is NULL"));
        };
        // SAFETY: the caller guarantees it.
        match unsafe { copy_parts(from) } {
            Ok(parts) => assemble(lambda_result { reserved: 0, ..*from }, parts),
            Err(()) => without_memory(from.execution),
        }
    })
}

/// # Safety
/// As for [`lambda_result_clone`].
unsafe fn copy_parts(from: &lambda_result) -> Result<Parts, ()> {
    // SAFETY: the caller guarantees it. A length whose pointer is NULL counts as 0.
    let bytes = |data: *const u8, len: usize| unsafe { text::bytes("", data, len) }.unwrap_or_default();
    let text = |text: *const c_char| match text.is_null() {
        true => Ok(None),
        // SAFETY: not NULL, so NUL-terminated.
        false => NulTerminated::copied(unsafe { CStr::from_ptr(text) }.to_bytes()).map(Some),
    };
    let message = match (from.status, from.error_message.is_null()) {
        (LAMBDA_OK, true) | (_, false) => text(from.error_message)?,
        (_, true) => Some(NulTerminated::copied(b"no message")?),
    };
    Ok(Parts {
        payload: Some(NulTerminated::copied(bytes(from.payload, from.payload_len))?),
        log: match from.log.is_null() {
            true => None,
            false => Some(NulTerminated::copied(bytes(from.log.cast(), from.log_len))?),
        },
        texts: [
            text(from.function_error)?,
            text(from.error_type)?,
            message,
            text(from.throttle_reason)?,
            text(from.request_id)?,
            text(from.executed_version)?,
            text(from.durable_execution_arn)?,
            text(from.content_type)?,
        ],
    })
}

/// Frees a result that the library made. NULL does nothing.
///
/// # Safety
/// NULL, or a result of this library that is not used from now on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_result_free(result: *mut lambda_result) {
    entry(drop, || {
        if !NO_MEMORY.iter().any(|known| std::ptr::eq(result, &known.0)) {
            // SAFETY: every other result of this library is the first member of an Owned from handle::into_raw.
            unsafe { handle::free(result) };
        }
    });
}
