//! lambda_error: why an object could not be made.

use std::ffi::c_char;

use super::guard::entry;
use super::handle::{self, OwnedByCaller};
use super::status::{LAMBDA_E_INVALID_ARGUMENT, LAMBDA_OK, lambda_status, number};
use super::text::{self, NulTerminated};
use crate::error::Error;
use crate::status::Status;

/// Why an object could not be made. Owned by the caller: lambda_error_free.
pub struct lambda_error {
    status: lambda_status,
    message: Option<NulTerminated>,
}

// SAFETY: the type is opaque to C.
unsafe impl handle::Object for lambda_error {
    type Inside = Self;
}

impl handle::OwnedByCaller for lambda_error {}

impl lambda_error {
    pub(super) fn new(error: &Error) -> Self {
        Self { status: number(error.status()), message: NulTerminated::copied_text(error.message()).ok() }
    }
}

/// Hands a new object over to the caller, or the reason why there is none.
///
/// # Safety
/// `place` and `error` are NULL or valid for writes.
pub(super) unsafe fn hand_over<T: OwnedByCaller>(
    name: &str,
    place: *mut *mut T,
    error: *mut *mut lambda_error,
    make: impl FnOnce() -> Result<T::Inside, Error>,
) -> lambda_status {
    let body = || {
        if place.is_null() {
            return Err(Error::argument(format!("{name}: is NULL")));
        }
        text::check_memory(name)?;
        let made = handle::into_raw::<T>(make()?);
        if made.is_null() {
            return Err(text::no_memory(name));
        }
        // SAFETY: not NULL, and so valid for writes.
        unsafe { place.write(made) };
        Ok(())
    };
    match entry(|what| Err(Error::new(Status::Internal, what)), body) {
        Ok(()) => LAMBDA_OK,
        Err(failure) => {
            if !error.is_null() {
                // SAFETY: not NULL, and so valid for writes.
                unsafe { error.write(handle::into_raw(lambda_error::new(&failure))) };
            }
            number(failure.status())
        }
    }
}

/// Returns the status of an error.
///
/// @return One of LAMBDA_E_*; LAMBDA_E_INVALID_ARGUMENT for NULL.
///
/// # Safety
/// See [`handle::as_ref`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_error_status(error: *const lambda_error) -> lambda_status {
    // SAFETY: the header's conventions.
    unsafe { handle::as_ref(error) }.map_or(LAMBDA_E_INVALID_ARGUMENT, |error| error.status)
}

/// Returns what is wrong and what to do about it.
///
/// @return Lives as long as the error. Never NULL, never a secret.
///
/// # Safety
/// See [`handle::as_ref`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_error_message(error: *const lambda_error) -> *const c_char {
    // SAFETY: the header's conventions.
    match unsafe { handle::as_ref(error) } {
        None => c"error is NULL".as_ptr(),
        Some(lambda_error { message: None, .. }) => c"there is no memory for the message".as_ptr(),
        Some(lambda_error { message: Some(message), .. }) => message.as_ptr().cast(),
    }
}

/// Frees an error. NULL does nothing.
///
/// # Safety
/// See [`handle::free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_error_free(error: *mut lambda_error) {
    // SAFETY: the header's conventions.
    entry(drop, || unsafe { handle::free(error) });
}
