//! lambda_client.

use std::ffi::c_char;
use std::sync::Arc;

use super::config::lambda_config;
use super::error::lambda_error;
use super::guard::entry;
use super::handle;
use super::status::{LAMBDA_OK, lambda_status, number};
use super::{string, text};
use crate::client::Client;
use crate::config::config::Config;
use crate::error::Error;
use crate::status::Status;

/// Settings, credentials, connections and retry quota, shared by all who call with it. Threads: any.
/// Owns: the caller, lambda_client_free. Costs no thread, and no descriptor until the first call.
pub struct lambda_client {
    /// Shared with the calls under way.
    pub(super) client: Arc<Client>,
}

/// config NULL: all from the environment and the shared AWS files, which are read here. Blocks: on files, never on
/// the network. error may be NULL; *error is written only on failure, *client only on success. A client copies its
/// config. A missing region and missing credentials are no failure here: each call says so, since a full ARN brings
/// its own region.
///
/// # Safety
/// See [`handle::as_ref`]; `client` and `error` are NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_client_new(
    config: *const lambda_config,
    client: *mut *mut lambda_client,
    error: *mut *mut lambda_error,
) -> lambda_status {
    let body = || {
        if client.is_null() {
            return Err(Error::argument("client: is NULL"));
        }
        // SAFETY: the header's conventions.
        let made = match unsafe { handle::as_ref(config) } {
            Some(config) => Client::new(config.usable()?)?,
            None => Client::new(&Config::default())?,
        };
        let made = handle::into_raw(lambda_client { client: Arc::new(made) });
        if made.is_null() {
            return Err(text::no_memory("client"));
        }
        // SAFETY: not NULL, and so valid for writes.
        unsafe { client.write(made) };
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

/// The settings in force and where each came from: a JSON object with one member a setting, each an object with "value"
/// and "source". Secrets are never shown. Free with lambda_string_free. NULL only for a NULL client or when there is no
/// memory. Blocks: no.
///
/// # Safety
/// See [`handle::as_ref`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_client_describe(client: *const lambda_client) -> *mut c_char {
    entry(
        |_| std::ptr::null_mut(),
        || {
            // SAFETY: the header's conventions.
            match unsafe { handle::as_ref(client) } {
                Some(client) => string::give(client.client.describe()),
                None => std::ptr::null_mut(),
            }
        },
    )
}

/// Must be the client's last use. Does not wait: calls that are under way go on to their end.
///
/// # Safety
/// See [`handle::free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_client_free(client: *mut lambda_client) {
    // SAFETY: the header's conventions.
    entry(drop, || unsafe { handle::free(client) });
}
