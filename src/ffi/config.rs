//! lambda_config.

use std::ffi::{c_char, c_void};
use std::time::Duration;

use super::credentials::{self, lambda_credentials_fn};
use super::guard::entry;
use super::handle;
use super::log::{self, lambda_log_fn};
use super::request::retry_mode;
use super::setter_errors::SetterErrors;
use super::status::{LAMBDA_E_INTERNAL, LAMBDA_E_INVALID_ARGUMENT, lambda_status};
use super::text;
use super::user_data::{UserData, lambda_release_fn};
use crate::config::config::Config;
use crate::config::endpoint::Endpoint;
use crate::error::Error;
use crate::{config::profile, config::proxy, config::region, config::user_agent};

/// How to reach Lambda. What is not set comes from the environment and the shared AWS files when the client is made.
/// Owns: the caller, lambda_config_free; a client copies it.
#[derive(Default)]
pub struct lambda_config {
    config: Config,
    setter_errors: SetterErrors,
}

impl lambda_config {
    pub(super) fn usable(&self) -> Result<&Config, Error> {
        self.setter_errors.first().map(|()| &self.config)
    }
}

/// Reads nothing. NULL only when there is no memory.
#[unsafe(no_mangle)]
pub extern "C" fn lambda_config_new() -> *mut lambda_config {
    entry(|_| std::ptr::null_mut(), || handle::into_raw(lambda_config::default()))
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

/// Such as "us-east-1". A full ARN's own region goes before it. NULL: AWS_REGION, AWS_DEFAULT_REGION, the profile's
/// region.
///
/// # Safety
/// See [`handle::as_mut`] and [`text::optional`].
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

/// http(s)://host[:port][/path]. NULL: AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL, the profile's services and
/// endpoint_url, else AWS's own for the region.
///
/// # Safety
/// See [`handle::as_mut`] and [`text::optional`].
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

/// They go before a callback. session_token may be NULL; all three NULL unsets: the callback, else as the AWS tools find
/// them, loaded by the first call that needs them: environment, profile, web identity, container, instance metadata.
///
/// # Safety
/// See [`handle::as_mut`] and [`text::optional`].
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

/// A profile of the shared AWS files, which must exist. Its credentials then go before the environment's. NULL:
/// AWS_PROFILE, AWS_DEFAULT_PROFILE, "default".
///
/// # Safety
/// See [`handle::as_mut`] and [`text::optional`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_set_profile(
    config: *mut lambda_config,
    profile: *const c_char,
) -> lambda_status {
    set(config, "profile", |config| {
        // SAFETY: the header's conventions.
        let profile = unsafe { text::optional("profile", profile) }?;
        profile.map_or(Ok(()), |profile| profile::check_name("profile", profile))?;
        config.profile = profile.map(|profile| text::copy("profile", profile)).transpose()?;
        Ok(())
    })
}

/// callback NULL unsets. Takes user_data also when it fails: release, if given, is called once, when the last object
/// that could call back is gone, or at once; never in a forked child on behalf of its parent.
///
/// # Safety
/// See [`handle::as_mut`]; `callback` may be called with `user_data` until `release` is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_set_credentials_callback(
    config: *mut lambda_config,
    callback: lambda_credentials_fn,
    user_data: *mut c_void,
    release: lambda_release_fn,
) -> lambda_status {
    set_with(config, "credentials_callback", UserData::new(user_data, release), |config, user_data| {
        match callback {
            Some(callback) => {
                if let Some(user_data) = user_data.take() {
                    config.set_credentials_callback(move || credentials::ask(callback, &user_data));
                }
            }
            None => config.unset_credentials_callback(),
        }
        Ok(())
    })
}

/// Endpoints with FIPS 140 cryptography: 1 on, 0 off, -1 as if never set: AWS_USE_FIPS_ENDPOINT, the profile's
/// use_fips_endpoint, off. Not together with a custom endpoint.
///
/// # Safety
/// See [`handle::as_mut`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_set_use_fips(config: *mut lambda_config, on: i32) -> lambda_status {
    set(config, "use_fips", |config| {
        config.use_fips = switch("use_fips", on)?;
        Ok(())
    })
}

/// Endpoints with IPv6 addresses too: 1 on, 0 off, -1 as if never set: AWS_USE_DUALSTACK_ENDPOINT, the profile's
/// use_dualstack_endpoint, off. Not together with a custom endpoint.
///
/// # Safety
/// See [`handle::as_mut`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_set_use_dual_stack(config: *mut lambda_config, on: i32) -> lambda_status {
    set(config, "use_dual_stack", |config| {
        config.use_dual_stack = switch("use_dual_stack", on)?;
        Ok(())
    })
}

/// A PEM file that replaces the system's trust store; lambda_client_new reads it. NULL: AWS_CA_BUNDLE, the profile's
/// ca_bundle, SSL_CERT_FILE and SSL_CERT_DIR, the system's; where that is empty, Mozilla's roots.
///
/// # Safety
/// See [`handle::as_mut`] and [`text::optional`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_set_ca_bundle(config: *mut lambda_config, path: *const c_char) -> lambda_status {
    set(config, "ca_bundle", |config| {
        // SAFETY: the header's conventions.
        let path = unsafe { text::optional("ca_bundle", path) }?;
        if path == Some("") {
            return Err(Error::argument("ca_bundle: is empty"));
        }
        config.ca_bundle = path.map(|path| text::copy("ca_bundle", path)).transpose()?;
        Ok(())
    })
}

/// http, https or socks5 URL, with user:password@ if the proxy asks for one. "": no proxy. NULL: HTTPS_PROXY or
/// HTTP_PROXY, ALL_PROXY, with the exceptions of NO_PROXY; each in small letters first.
///
/// # Safety
/// See [`handle::as_mut`] and [`text::optional`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_set_proxy(config: *mut lambda_config, url: *const c_char) -> lambda_status {
    set(config, "proxy", |config| {
        // SAFETY: the header's conventions.
        let url = unsafe { text::optional("proxy", url) }?;
        url.map_or(Ok(()), |url| proxy::check("proxy", url))?;
        config.proxy = url.map(|url| text::copy("proxy", url)).transpose()?;
        Ok(())
    })
}

/// Names the application in User-Agent: 1 to 50 of A-Z, a-z, 0-9 and !#$%&'*+-.^_`|~. NULL: AWS_SDK_UA_APP_ID, the
/// profile's sdk_ua_app_id.
///
/// # Safety
/// See [`handle::as_mut`] and [`text::optional`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_set_app_id(config: *mut lambda_config, app_id: *const c_char) -> lambda_status {
    set(config, "app_id", |config| {
        // SAFETY: the header's conventions.
        let id = unsafe { text::optional("app_id", app_id) }?;
        id.map_or(Ok(()), |id| user_agent::check_app_id("app_id", id))?;
        config.app_id = id.map(|id| text::copy("app_id", id)).transpose()?;
        Ok(())
    })
}

/// Name, TCP, proxy and TLS of one connection together; 5 s. Ends an attempt, not the call.
///
/// # Safety
/// See [`handle::as_mut`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_set_connect_timeout_ms(config: *mut lambda_config, ms: u64) -> lambda_status {
    set(config, "connect_timeout", |config| {
        config.connect_timeout = Some(Duration::from_millis(ms));
        Ok(())
    })
}

/// A whole call, waiting for a connection, credentials and retries included; 910 s, Event and DryRun 60 s.
///
/// # Safety
/// See [`handle::as_mut`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_set_timeout_ms(config: *mut lambda_config, ms: u64) -> lambda_status {
    set(config, "timeout", |config| {
        config.timeout = Some(Duration::from_millis(ms));
        Ok(())
    })
}

/// The first try included; 0: AWS_MAX_ATTEMPTS, the profile's max_attempts, 3.
///
/// # Safety
/// See [`handle::as_mut`].
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
/// See [`handle::as_mut`].
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
/// See [`handle::as_mut`].
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
/// See [`handle::as_mut`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_set_max_response_bytes(config: *mut lambda_config, bytes: u64) -> lambda_status {
    set(config, "max_response_bytes", |config| {
        config.max_response_bytes = Some(bytes);
        Ok(())
    })
}

/// LAMBDA_LOG_LEVEL_* and quieter are passed to callback; callback NULL or LAMBDA_LOG_LEVEL_OFF unsets. Never a secret.
/// user_data as in lambda_config_set_credentials_callback. LAMBDA_INVOKE_LOG=debug (or another level) prints the same to
/// stderr.
///
/// # Safety
/// See [`handle::as_mut`]; `callback` may be called with `user_data`, by several threads at once, until `release` is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_set_log(
    config: *mut lambda_config,
    max_level: i32,
    callback: lambda_log_fn,
    user_data: *mut c_void,
    release: lambda_release_fn,
) -> lambda_status {
    set_with(config, "log", UserData::new(user_data, release), |config, user_data| {
        match (log::level(max_level)?, callback) {
            (Some(max_level), Some(callback)) => {
                if let Some(user_data) = user_data.take() {
                    config.set_log(max_level, move |level, target, message| {
                        log::pass_on(callback, &user_data, level, target, message);
                    });
                }
            }
            _ => config.unset_log(),
        }
        Ok(())
    })
}

fn switch(field: &str, on: i32) -> Result<Option<bool>, Error> {
    match on {
        -1 => Ok(None),
        0 => Ok(Some(false)),
        1 => Ok(Some(true)),
        other => Err(Error::argument(format!("{field}: {other} is none of 1, 0 and -1"))),
    }
}

/// A setter that takes something of the host's over, if `change` takes it. What is not taken, and what is replaced, is
/// released when the setter is done with the config, since the host's code may use it.
fn set_with(
    config: *mut lambda_config,
    field: &'static str,
    user_data: UserData,
    change: impl FnOnce(&mut Config, &mut Option<UserData>) -> Result<(), Error>,
) -> lambda_status {
    entry(
        |_| LAMBDA_E_INTERNAL,
        || {
            let mut user_data = Some(user_data);
            let mut replaced = None;
            set(config, field, |config| {
                replaced = Some(config.clone());
                change(config, &mut user_data)
            })
        },
    )
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
            let Some(config) = (unsafe { handle::as_mut(config) }) else { return LAMBDA_E_INVALID_ARGUMENT };
            let result = change(&mut config.config);
            config.setter_errors.note(field, result)
        },
    )
}
