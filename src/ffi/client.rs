//! lambda_client.

use std::ffi::c_char;
use std::sync::Arc;

use super::config::lambda_config;
use super::error::{hand_over, lambda_error};
use super::guard::entry;
use super::handle;
use super::status::lambda_status;
use super::string;
use crate::client::Client;
use crate::config::config::Config;
use crate::platform::reserve;

/// Settings, credentials cache, connections and retry quota, shared by all threads that call with it. Owned by the
/// caller: lambda_client_free. Costs no descriptor until the first call, and no thread of its own: a name lookup and a
/// credential_process each use one, which ends with it.
///
/// An idle client keeps as many connections as it had calls under way at once, up to max_connections, each with up to
/// 4 descriptors and about 50 KiB of memory. The next call closes those that have been idle for 50 s, which no call uses
/// again. lambda_client_release_idle closes all of them, as does lambda_client_free; a call that finds no descriptor closes
/// as many as it needs. An idle connection of a queue has 1 descriptor, and the queue's thread closes it after 50 s.
pub struct lambda_client {
    /// Shared with the calls under way.
    pub(super) client: Arc<Client>,
}

// SAFETY: the type is opaque to C.
unsafe impl handle::Object for lambda_client {
    type Inside = Self;
}

impl handle::OwnedByCaller for lambda_client {}

/// Makes a client. Reads the environment and the shared AWS files here, and blocks on files, but never uses the
/// network. A missing region or missing credentials are not an error here: each call reports them, since a full ARN
/// has its own region.
///
/// @param config NULL: all settings from the environment and the shared AWS files.
/// @param client Set only on success; owned by the caller: lambda_client_free.
/// @param error NULL, or set only on failure; owned by the caller: lambda_error_free.
///
/// # Safety
/// See [`handle::as_ref`]; `client` and `error` are NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_client_new(
    config: *const lambda_config,
    client: *mut *mut lambda_client,
    error: *mut *mut lambda_error,
) -> lambda_status {
    let make = || {
        // SAFETY: the header's conventions.
        let made = match unsafe { handle::as_ref(config) } {
            Some(config) => Client::new(config.usable()?)?,
            None => Client::new(&Config::default())?,
        };
        Ok(lambda_client { client: Arc::new(made) })
    };
    // SAFETY: the caller guarantees it.
    unsafe { hand_over("client", client, error, make) }
}

/// Describes the settings in force and where each came from: a JSON object with one member per setting, each an
/// object with "value" and "source". Never a secret. Does not block.
///
/// @return Owned by the caller: lambda_string_free. NULL only for a NULL client or when there is no memory.
///
/// # Safety
/// See [`handle::as_ref`].
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_client_describe(client: *const lambda_client) -> *mut c_char {
    entry(
        |_| std::ptr::null_mut(),
        || {
            // SAFETY: the header's conventions.
            match unsafe { handle::as_ref(client) } {
                Some(client) if !reserve::is_low() => string::into_raw(client.client.describe()),
                _ => std::ptr::null_mut(),
            }
        },
    )
}

/// Closes the idle connections of a client now. Connections in use stay open, and later calls open new ones. Useful after a
/// burst of calls, before a long pause. Does not block.
///
/// @param client NULL: does nothing.
///
/// # Safety
/// See [`handle::as_ref`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_client_release_idle(client: *const lambda_client) {
    entry(drop, || {
        // SAFETY: the header's conventions.
        if let Some(client) = unsafe { handle::as_ref(client) } {
            client.client.release_idle();
        }
    });
}

/// Frees a client, which must not be used afterwards. NULL does nothing. Does not wait: calls under way continue to
/// their end.
///
/// # Safety
/// See [`handle::free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_client_free(client: *mut lambda_client) {
    // SAFETY: the header's conventions.
    entry(drop, || unsafe { handle::free(client) });
}
