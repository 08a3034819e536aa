//! lambda_credentials, and the callback that fills it in.

use std::ffi::{c_char, c_void};
use std::time::{Duration, SystemTime};

use super::guard::entry;
use super::handle;
use super::status::{LAMBDA_E_INTERNAL, LAMBDA_E_INVALID_ARGUMENT, LAMBDA_OK, lambda_status, number, status_name};
use super::text;
use super::user_data::UserData;
use crate::config::credentials::Credentials;
use crate::error::Error;

/// Credentials that a credentials callback fills in. Lives only during the callback.
#[derive(Default)]
pub struct lambda_credentials {
    given: Option<Credentials>,
    /// The message that the callback set.
    error: Option<String>,
    /// Why lambda_credentials_set or lambda_credentials_set_error failed last.
    refused: Option<Error>,
}

// SAFETY: the type is opaque to C.
unsafe impl handle::Object for lambda_credentials {
    type Inside = Self;
}

/// Provides credentials: fills `out` with lambda_credentials_set and returns LAMBDA_OK, or explains with
/// lambda_credentials_set_error and returns anything else. Called when there are no credentials yet and shortly
/// before they expire, never twice at once for one client, on a thread that is inside the library or on one of its
/// own. It may block: the deadline of the call that waits for it is then late, other calls are not. It may use other
/// clients, but not the one that it serves.
pub type lambda_credentials_fn =
    Option<unsafe extern "C" fn(user_data: *mut c_void, out: *mut lambda_credentials) -> lambda_status>;

/// Sets the credentials inside a credentials callback.
///
/// @param session_token NULL if there is none.
/// @param expires_unix_s When the credentials expire, in seconds since 1970; 0 if they do not expire.
///
/// # Safety
/// See [`handle::as_mut`] and [`text::required`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_credentials_set(
    out: *mut lambda_credentials,
    access_key_id: *const c_char,
    secret_access_key: *const c_char,
    session_token: *const c_char,
    expires_unix_s: i64,
) -> lambda_status {
    fill_in(out, |out| {
        // SAFETY: the header's conventions.
        let (id, secret, token) = unsafe {
            (
                text::required("access_key_id", access_key_id)?,
                text::required("secret_access_key", secret_access_key)?,
                text::optional("session_token", session_token)?,
            )
        };
        let expires = match u64::try_from(expires_unix_s).map(Duration::from_secs) {
            Ok(Duration::ZERO) => None,
            Ok(since) => Some(SystemTime::UNIX_EPOCH.checked_add(since).ok_or_else(|| invalid_time(expires_unix_s))?),
            Err(_) => return Err(invalid_time(expires_unix_s)),
        };
        out.given = Some(Credentials::new(id, secret, token, expires)?);
        Ok(())
    })
}

fn invalid_time(seconds: i64) -> Error {
    Error::argument(format!("expires_unix_s: {seconds} is not a valid time"))
}

/// Explains why there are no credentials. The message becomes part of the call's error_message.
///
/// # Safety
/// See [`handle::as_mut`] and [`text::required`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_credentials_set_error(
    out: *mut lambda_credentials,
    message: *const c_char,
) -> lambda_status {
    fill_in(out, |out| {
        // SAFETY: the header's conventions.
        let message = unsafe { text::required("message", message) }?;
        out.error = Some(text::copy("message", message)?);
        Ok(())
    })
}

fn fill_in(
    out: *mut lambda_credentials,
    change: impl FnOnce(&mut lambda_credentials) -> Result<(), Error>,
) -> lambda_status {
    entry(
        |_| LAMBDA_E_INTERNAL,
        || {
            // SAFETY: both functions got this pointer from their caller, under the header's conventions.
            let Some(out) = (unsafe { handle::as_mut(out) }) else { return LAMBDA_E_INVALID_ARGUMENT };
            match change(out) {
                Ok(()) => LAMBDA_OK,
                Err(error) => {
                    let status = number(error.status());
                    out.given = None;
                    out.refused = Some(error);
                    status
                }
            }
        },
    )
}

/// Calls the caller's callback.
pub(super) fn call(
    callback: unsafe extern "C" fn(*mut c_void, *mut lambda_credentials) -> lambda_status,
    user_data: &UserData,
) -> Result<Credentials, String> {
    let mut out = lambda_credentials::default();
    // SAFETY: lambda_config_set_credentials_callback's caller promised that it may be called with this pointer until it
    // is released; `out` outlives the call.
    let status = unsafe { callback(user_data.pointer(), &raw mut out) };
    let refused = out.refused.map(|error| error.message().to_owned());
    match (status, out.given) {
        (LAMBDA_OK, Some(credentials)) => Ok(credentials),
        (LAMBDA_OK, None) => {
            let why = out.error.or(refused);
            Err(why.unwrap_or_else(|| "it returned LAMBDA_OK, but set no credentials".to_owned()))
        }
        (status, _) => Err(out.error.or(refused).unwrap_or_else(|| {
            let name = status_name(status).to_string_lossy();
            format!("it returned {status} ({name}) and set no error")
        })),
    }
}
