//! lambda_request.

use std::ffi::{c_char, c_void};
use std::time::Duration;

use bytes::Bytes;

use super::guard::entry;
use super::handle;
use super::setter_errors::SetterErrors;
use super::status::{
    LAMBDA_E_INTERNAL, LAMBDA_E_INVALID_ARGUMENT, LAMBDA_INVOCATION_DRY_RUN, LAMBDA_INVOCATION_EVENT,
    LAMBDA_INVOCATION_REQUEST_RESPONSE, LAMBDA_LOG_TYPE_NONE, LAMBDA_LOG_TYPE_TAIL, LAMBDA_RETRY_ALWAYS,
    LAMBDA_RETRY_NONE, LAMBDA_RETRY_SAFE, lambda_status,
};
use super::text;
use crate::config::config::RetryMode;
use crate::error::Error;
use crate::request::fields::{
    InvocationRequest, InvocationType, LogType, check_client_context, check_durable_execution_name, check_qualifier,
    check_tenant_id, check_trace_header,
};
use crate::request::function_name::FunctionName;
use crate::request::invocation::Invocation;

/// Decides whether a call goes on: anything but 0 ends it with LAMBDA_E_CANCELLED. Called on the thread inside a
/// blocking call, before the call begins and then at least every 100 ms while it waits.
pub type lambda_interrupt_fn = Option<unsafe extern "C" fn(user_data: *mut c_void) -> i32>;

/// What to invoke. Reusable: a call takes its own snapshot, without copying the payload, before it returns, so the
/// request may be changed or freed at once. Owned by the caller: lambda_request_free.
#[derive(Clone, Default)]
pub struct lambda_request {
    invocation: Invocation,
    interrupt: Option<Interrupt>,
    setter_errors: SetterErrors,
}

// SAFETY: the type is opaque to C.
unsafe impl handle::Object for lambda_request {
    type Inside = Self;
}

impl handle::OwnedByCaller for lambda_request {}

/// The caller's interrupt callback and its user_data.
#[derive(Clone, Copy)]
pub(super) struct Interrupt {
    callback: unsafe extern "C" fn(user_data: *mut c_void) -> i32,
    user_data: *mut c_void,
}

// SAFETY: the caller passed both for any thread that calls the library with the request, or reads a stream of it.
unsafe impl Send for Interrupt {}

impl Interrupt {
    /// Calls the callback. Returns whether the caller wants the call to end.
    pub(super) fn poll(self) -> bool {
        // SAFETY: lambda_request_set_interrupt's caller promised that both outlive the calls made with the request.
        unsafe { (self.callback)(self.user_data) != 0 }
    }
}

impl lambda_request {
    /// Fails if the last setter of a field has failed.
    pub(super) fn usable(&self) -> Result<(), Error> {
        self.setter_errors.first()
    }

    pub(super) fn invocation(&self) -> &Invocation {
        &self.invocation
    }

    pub(super) fn interrupt(&self) -> Option<Interrupt> {
        self.interrupt
    }
}

/// Makes an empty request.
///
/// @return Owned by the caller: lambda_request_free. NULL only when there is no memory.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn lambda_request_new() -> *mut lambda_request {
    entry(|_| std::ptr::null_mut(), || handle::new(lambda_request::default))
}

/// Copies a request; both share the payload.
///
/// @return Owned by the caller: lambda_request_free. NULL when there is no memory, and for NULL.
///
/// # Safety
/// See [`handle::as_ref`].
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_request_clone(request: *const lambda_request) -> *mut lambda_request {
    entry(
        |_| std::ptr::null_mut(),
        || {
            // SAFETY: the header's conventions.
            match unsafe { handle::as_ref(request) } {
                Some(request) => handle::new(|| request.clone()),
                None => std::ptr::null_mut(),
            }
        },
    )
}

/// Frees a request. NULL does nothing.
///
/// # Safety
/// See [`handle::free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_request_free(request: *mut lambda_request) {
    // SAFETY: the header's conventions.
    entry(drop, || unsafe { handle::free(request) });
}

/// Sets the function to invoke, which is required: a name, a partial ARN or an ARN, each with an optional
/// ":qualifier", 1 to 256 characters. The region of a full ARN signs the call and, unless an endpoint is set, chooses
/// the endpoint.
///
/// # Safety
/// See [`handle::as_mut`] and [`text::required`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_request_set_function_name(
    request: *mut lambda_request,
    name: *const c_char,
) -> lambda_status {
    set(request, "function_name", |invocation| {
        // SAFETY: the header's conventions.
        let name = unsafe { text::required("function_name", name) }?;
        FunctionName::parse(name)?;
        invocation.request.function_name = text::copy("function_name", name)?;
        Ok(())
    })
}

/// Sets the version or alias, 1 to 128 characters. The function name may have the same qualifier, but no other.
///
/// @param version_or_alias NULL unsets it.
///
/// # Safety
/// See [`handle::as_mut`] and [`text::optional`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_request_set_qualifier(
    request: *mut lambda_request,
    version_or_alias: *const c_char,
) -> lambda_status {
    // SAFETY: the header's conventions.
    unsafe { set_text(request, "qualifier", version_or_alias, check_qualifier, |fields| &mut fields.qualifier) }
}

/// Sets the invocation type.
///
/// @param invocation_type One of LAMBDA_INVOCATION_*; LAMBDA_INVOCATION_REQUEST_RESPONSE unless set.
///
/// # Safety
/// See [`handle::as_mut`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_request_set_invocation_type(
    request: *mut lambda_request,
    invocation_type: i32,
) -> lambda_status {
    set(request, "invocation_type", |invocation| {
        let kind = match invocation_type {
            LAMBDA_INVOCATION_REQUEST_RESPONSE => InvocationType::RequestResponse,
            LAMBDA_INVOCATION_EVENT => InvocationType::Event,
            LAMBDA_INVOCATION_DRY_RUN => InvocationType::DryRun,
            other => return Err(unknown("invocation_type", other, "LAMBDA_INVOCATION_*")),
        };
        invocation.request.invocation_type = Some(kind.as_str().to_owned());
        Ok(())
    })
}

/// Asks for the end of the function's log.
///
/// @param log_type One of LAMBDA_LOG_TYPE_*; LAMBDA_LOG_TYPE_NONE unless set. LAMBDA_LOG_TYPE_TAIL only together with
/// LAMBDA_INVOCATION_REQUEST_RESPONSE.
///
/// # Safety
/// See [`handle::as_mut`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_request_set_log_type(request: *mut lambda_request, log_type: i32) -> lambda_status {
    set(request, "log_type", |invocation| {
        invocation.request.log_type = match log_type {
            LAMBDA_LOG_TYPE_NONE => None,
            LAMBDA_LOG_TYPE_TAIL => Some(LogType::Tail.as_str().to_owned()),
            other => return Err(unknown("log_type", other, "LAMBDA_LOG_TYPE_*")),
        };
        Ok(())
    })
}

/// Sets the client context as base64 of JSON, at most 3,583 bytes. It is the same field as that of
/// lambda_request_set_client_context_json: the last one set counts.
///
/// @param base64 NULL unsets it.
///
/// # Safety
/// See [`handle::as_mut`] and [`text::optional`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_request_set_client_context(
    request: *mut lambda_request,
    base64: *const c_char,
) -> lambda_status {
    // SAFETY: the header's conventions.
    unsafe { set_text(request, "client_context", base64, check_client_context, |fields| &mut fields.client_context) }
}

/// Sets the client context as JSON, which is checked and sent as base64.
///
/// @param json NULL unsets it.
///
/// # Safety
/// See [`handle::as_mut`] and [`text::optional`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_request_set_client_context_json(
    request: *mut lambda_request,
    json: *const c_char,
) -> lambda_status {
    set(request, "client_context", |invocation| {
        // SAFETY: the header's conventions.
        match unsafe { text::optional("client_context", json) }? {
            Some(json) => invocation.request.set_client_context_json(json),
            None => {
                invocation.request.client_context = None;
                Ok(())
            }
        }
    })
}

/// Sets the event that the function receives, and copies it. Lambda accepts 6 MB, and 1 MB for an Event.
///
/// @param data NULL with length 0: no payload. NULL with another length is refused.
///
/// # Safety
/// See [`handle::as_mut`] and [`text::bytes`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_request_set_payload(
    request: *mut lambda_request,
    data: *const c_void,
    len: usize,
) -> lambda_status {
    set(request, "payload", |invocation| {
        // SAFETY: the header's conventions.
        let bytes = unsafe { text::bytes("payload", data.cast(), len) }?;
        let mut own = Vec::new();
        own.try_reserve_exact(len).map_err(|_| text::no_memory("payload"))?;
        own.extend_from_slice(bytes);
        invocation.payload = Bytes::from(own);
        Ok(())
    })
}

/// Sets the tenant, 1 to 256 characters of printable ASCII; inner spaces are kept.
///
/// @param tenant_id NULL unsets it.
///
/// # Safety
/// See [`handle::as_mut`] and [`text::optional`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_request_set_tenant_id(
    request: *mut lambda_request,
    tenant_id: *const c_char,
) -> lambda_status {
    // SAFETY: the header's conventions.
    unsafe { set_text(request, "tenant_id", tenant_id, check_tenant_id, |fields| &mut fields.tenant_id) }
}

/// Sets the name of a durable execution, 1 to 64 characters of printable ASCII. It is sent as it is, and does not
/// change what is retried: see lambda_request_set_retry.
///
/// @param name NULL unsets it.
///
/// # Safety
/// See [`handle::as_mut`] and [`text::optional`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_request_set_durable_execution_name(
    request: *mut lambda_request,
    name: *const c_char,
) -> lambda_status {
    // SAFETY: the header's conventions.
    unsafe {
        set_text(request, "durable_execution_name", name, check_durable_execution_name, |fields| {
            &mut fields.durable_execution_name
        })
    }
}

/// Sets the X-Amzn-Trace-Id header. Inside a Lambda function pass _X_AMZN_TRACE_ID on, so that Lambda can stop
/// endless loops.
///
/// @param trace_header NULL unsets it.
///
/// # Safety
/// See [`handle::as_mut`] and [`text::optional`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_request_set_trace_header(
    request: *mut lambda_request,
    trace_header: *const c_char,
) -> lambda_status {
    // SAFETY: the header's conventions.
    unsafe { set_text(request, "trace_header", trace_header, check_trace_header, |fields| &mut fields.trace_header) }
}

/// Sets the deadline of the whole call.
///
/// @param ms Milliseconds; 0 means that of the client. If you compute the time that is left, pass at least 1: a
/// computed 0 would mean the client's, which may be 910 s.
///
/// # Safety
/// See [`handle::as_mut`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_request_set_timeout_ms(request: *mut lambda_request, ms: u64) -> lambda_status {
    set(request, "timeout", |invocation| {
        invocation.timeout = (ms != 0).then(|| Duration::from_millis(ms));
        Ok(())
    })
}

/// Chooses which attempts of this request are retried.
///
/// @param mode One of LAMBDA_RETRY_*; -1 means that of the client.
///
/// # Safety
/// See [`handle::as_mut`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_request_set_retry(request: *mut lambda_request, mode: i32) -> lambda_status {
    set(request, "retry", |invocation| {
        invocation.retry = retry_mode(mode)?;
        Ok(())
    })
}

/// Sets a callback that lambda_invoke polls while it waits. callback and user_data must outlive the calls made with
/// this request.
///
/// @param callback NULL unsets it.
///
/// # Safety
/// See [`handle::as_mut`]; `callback` may be called with `user_data` until the last call with this request is over.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_request_set_interrupt(
    request: *mut lambda_request,
    callback: lambda_interrupt_fn,
    user_data: *mut c_void,
) -> lambda_status {
    entry(
        |_| LAMBDA_E_INTERNAL,
        || {
            // SAFETY: the header's conventions.
            let Some(request) = (unsafe { handle::as_mut(request) }) else { return LAMBDA_E_INVALID_ARGUMENT };
            request.interrupt = callback.map(|callback| Interrupt { callback, user_data });
            request.setter_errors.record("interrupt", Ok(()))
        },
    )
}

/// Converts a number of LAMBDA_RETRY_*; -1 means that no mode is set.
pub(super) fn retry_mode(mode: i32) -> Result<Option<RetryMode>, Error> {
    match mode {
        -1 => Ok(None),
        LAMBDA_RETRY_SAFE => Ok(Some(RetryMode::Safe)),
        LAMBDA_RETRY_NONE => Ok(Some(RetryMode::None)),
        LAMBDA_RETRY_ALWAYS => Ok(Some(RetryMode::Always)),
        other => Err(unknown("retry", other, "LAMBDA_RETRY_*")),
    }
}

fn unknown(field: &str, number: i32, known: &str) -> Error {
    Error::argument(format!("{field}: {number} is none of {known}"))
}

/// Runs a setter: it changes the request, or its error is recorded there.
fn set(
    request: *mut lambda_request,
    field: &'static str,
    change: impl FnOnce(&mut Invocation) -> Result<(), Error>,
) -> lambda_status {
    entry(
        |_| LAMBDA_E_INTERNAL,
        || {
            // SAFETY: every setter got this pointer from its caller, under the header's conventions.
            let Some(request) = (unsafe { handle::as_mut(request) }) else { return LAMBDA_E_INVALID_ARGUMENT };
            let result = text::check_memory(field).and_then(|()| change(&mut request.invocation));
            request.setter_errors.record(field, result)
        },
    )
}

/// Sets an optional text field.
///
/// # Safety
/// See [`text::optional`].
unsafe fn set_text(
    request: *mut lambda_request,
    field: &'static str,
    value: *const c_char,
    check: fn(&str) -> Result<(), Error>,
    place: fn(&mut InvocationRequest) -> &mut Option<String>,
) -> lambda_status {
    set(request, field, |invocation| {
        // SAFETY: the caller guarantees it.
        let value = unsafe { text::optional(field, value) }?;
        value.map_or(Ok(()), check)?;
        *place(&mut invocation.request) = value.map(|value| text::copy(field, value)).transpose()?;
        Ok(())
    })
}
