//! lambda_config.

use std::ffi::c_char;
use std::time::Duration;

use super::guard::entry;
use super::handle;
use super::refusals::Refusals;
use super::request::retry_mode;
use super::status::{LAMBDA_E_INTERNAL, LAMBDA_E_INVALID_ARGUMENT, lambda_status};
use super::text;
use crate::core::config::Config;
use crate::core::endpoint::Endpoint;
use crate::core::error::Error;
use crate::core::region;

/// How to reach Lambda. What is not set comes from the environment when the client is made.
/// Owns: the caller, lambda_config_free; a client copies it.
#[derive(Default)]
pub struct lambda_config {
    config: Config,
    refusals: Refusals,
}

impl lambda_config {
    pub(super) fn usable(&self) -> Result<&Config, Error> {
        self.refusals.first().map(|()| &self.config)
    }
}

/// Reads nothing. NULL only when there is no memory.
#[unsafe(no_mangle)]
pub extern "C" fn lambda_config_new() -> *mut lambda_config {
    entry(|_| std::ptr::null_mut(), || handle::give(lambda_config::default()))
}

/// Frees a config; NULL is nothing to free. Clients made with it go on.
///
/// # Safety
/// See [`handle::free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_free(config: *mut lambda_config) {
    // SAFETY: the header's conventions.
    entry(drop, || unsafe { handle::free(config) });
}

/// Such as "us-east-1". A full ARN's own region goes before it. NULL: AWS_REGION, AWS_DEFAULT_REGION.
///
/// # Safety
/// See [`handle::change`] and [`text::optional`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_set_region(config: *mut lambda_config, region: *const c_char) -> lambda_status {
    set(config, "region", |config| {
        // SAFETY: the header's conventions.
        let region = unsafe { text::optional("region", region) }?;
        region.map_or(Ok(()), |region| region::check("region", region))?;
        config.region = region.map(|region| text::copy("region", region)).transpose()?;
        Ok(())
    })
}

/// http(s)://host[:port][/path]. NULL: AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL, else AWS's own for the region.
///
/// # Safety
/// See [`handle::change`] and [`text::optional`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_set_endpoint_url(
    config: *mut lambda_config,
    url: *const c_char,
) -> lambda_status {
    set(config, "endpoint_url", |config| {
        // SAFETY: the header's conventions.
        let url = unsafe { text::optional("endpoint_url", url) }?;
        url.map_or(Ok(()), |url| Endpoint::custom("endpoint_url", url).map(drop))?;
        config.endpoint_url = url.map(|url| text::copy("endpoint_url", url)).transpose()?;
        Ok(())
    })
}

/// session_token may be NULL; all three NULL unsets: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
///
/// # Safety
/// See [`handle::change`] and [`text::optional`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_set_credentials(
    config: *mut lambda_config,
    access_key_id: *const c_char,
    secret_access_key: *const c_char,
    session_token: *const c_char,
) -> lambda_status {
    set(config, "credentials", |config| {
        // SAFETY: the header's conventions.
        let given = unsafe {
            (
                text::optional("access_key_id", access_key_id)?,
                text::optional("secret_access_key", secret_access_key)?,
                text::optional("session_token", session_token)?,
            )
        };
        match given {
            (None, None, None) => {
                config.unset_credentials();
                Ok(())
            }
            (Some(id), Some(secret), token) => config.set_credentials(id, secret, token),
            (None, ..) => Err(Error::argument("credentials: access_key_id is NULL, but the others are not")),
            (_, None, _) => Err(Error::argument("credentials: secret_access_key is NULL, but the others are not")),
        }
    })
}

/// Name, TCP and TLS of one connection together; 5 s. Ends an attempt, not the call.
///
/// # Safety
/// See [`handle::change`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_set_connect_timeout_ms(config: *mut lambda_config, ms: u64) -> lambda_status {
    set(config, "connect_timeout", |config| {
        config.connect_timeout = Some(Duration::from_millis(ms));
        Ok(())
    })
}

/// A whole call, waiting for a connection and retries included; 910 s, Event and DryRun 60 s.
///
/// # Safety
/// See [`handle::change`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_set_timeout_ms(config: *mut lambda_config, ms: u64) -> lambda_status {
    set(config, "timeout", |config| {
        config.timeout = Some(Duration::from_millis(ms));
        Ok(())
    })
}

/// The first try included; 0 is the default, 3.
///
/// # Safety
/// See [`handle::change`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_set_max_attempts(config: *mut lambda_config, attempts: u32) -> lambda_status {
    set(config, "max_attempts", |config| {
        config.max_attempts = Some(attempts);
        Ok(())
    })
}

/// LAMBDA_RETRY_*. No environment variable and no file ever chooses LAMBDA_RETRY_ALWAYS.
///
/// # Safety
/// See [`handle::change`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_set_retry(config: *mut lambda_config, mode: i32) -> lambda_status {
    set(config, "retry", |config| {
        config.retry = Some(retry_mode(mode)?);
        Ok(())
    })
}

/// Calls of this client under way at once in this process; what exceeds it waits its turn inside its own deadline.
/// 0 is the default: what half of RLIMIT_NOFILE allows (a blocking call takes up to 4 descriptors).
///
/// # Safety
/// See [`handle::change`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_set_max_connections(
    config: *mut lambda_config,
    connections: u32,
) -> lambda_status {
    set(config, "max_connections", |config| {
        config.max_connections = Some(connections);
        Ok(())
    })
}

/// Of one answer's payload. 0 is the default, 64 MiB.
///
/// # Safety
/// See [`handle::change`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_set_max_response_bytes(config: *mut lambda_config, bytes: u64) -> lambda_status {
    set(config, "max_response_bytes", |config| {
        config.max_response_bytes = Some(bytes);
        Ok(())
    })
}

/// Every setter: changes `config`, or remembers why not.
fn set(
    config: *mut lambda_config,
    field: &'static str,
    change: impl FnOnce(&mut Config) -> Result<(), Error>,
) -> lambda_status {
    entry(
        |_| LAMBDA_E_INTERNAL,
        || {
            // SAFETY: every setter has this pointer from its caller, under the header's conventions.
            let Some(config) = (unsafe { handle::change(config) }) else { return LAMBDA_E_INVALID_ARGUMENT };
            let result = change(&mut config.config);
            config.refusals.note(field, result)
        },
    )
}
