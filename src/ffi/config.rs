//! lambda_config.

use std::ffi::{c_char, c_void};
use std::time::Duration;

use zeroize::Zeroize as _;

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

/// How to reach Lambda. Settings that are not set in code come from the environment and the shared AWS files when a
/// client is made. Owned by the caller: lambda_config_free. A client copies it.
#[derive(Default)]
pub struct lambda_config {
    config: Config,
    setter_errors: SetterErrors,
}

// SAFETY: the type is opaque to C.
unsafe impl handle::Object for lambda_config {
    type Inside = Self;
}

impl handle::OwnedByCaller for lambda_config {}

/// The URL of a proxy may hold a password.
impl Drop for lambda_config {
    fn drop(&mut self) {
        self.config.proxy.zeroize();
    }
}

impl lambda_config {
    pub(super) fn usable(&self) -> Result<&Config, Error> {
        self.setter_errors.first().map(|()| &self.config)
    }
}

/// Makes an empty config. Reads nothing.
///
/// @return Owned by the caller: lambda_config_free. NULL only when there is no memory.
#[must_use]
#[unsafe(no_mangle)]
pub extern "C" fn lambda_config_new() -> *mut lambda_config {
    entry(|_| std::ptr::null_mut(), || handle::new(lambda_config::default))
}

/// Frees a config. NULL does nothing. Clients made with it keep working.
///
/// # Safety
/// See [`handle::free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_free(config: *mut lambda_config) {
    // SAFETY: the header's conventions.
    entry(drop, || unsafe { handle::free(config) });
}

/// Sets the AWS region, such as "us-east-1". The region of a full ARN goes before it for that call.
///
/// @param region NULL: AWS_REGION, AWS_DEFAULT_REGION, the profile's region.
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

/// Sets a custom endpoint: `http(s)://host[:port][/path]`.
///
/// @param url NULL: AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL, the profile's services and endpoint_url, else the
/// region's own endpoint of AWS.
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

/// Sets the credentials that sign, which then go before a credentials callback.
///
/// @param session_token NULL if there is none. All three NULL: the callback, else what the AWS tools find, loaded by
/// the first call that needs it: environment, profile, web identity, container, instance metadata.
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

/// Sets the profile of the shared AWS files, which must exist. Its credentials then go before those of the
/// environment.
///
/// @param profile NULL: AWS_PROFILE, then AWS_DEFAULT_PROFILE, then "default".
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

/// Sets a callback that provides credentials. It takes user_data even when it fails: release, if given, is called
/// once, when the last object that could call back is gone, or at once.
///
/// @param callback NULL unsets it.
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
                    config.set_credentials_callback(move || credentials::call(callback, &user_data));
                }
            }
            None => config.unset_credentials_callback(),
        }
        Ok(())
    })
}

/// Chooses endpoints with FIPS 140 cryptography. Cannot be combined with a custom endpoint.
///
/// @param on 1 on, 0 off, -1 as if never set: AWS_USE_FIPS_ENDPOINT, the profile's use_fips_endpoint, off.
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

/// Chooses endpoints that have IPv6 addresses too. Cannot be combined with a custom endpoint.
///
/// @param on 1 on, 0 off, -1 as if never set: AWS_USE_DUALSTACK_ENDPOINT, the profile's use_dualstack_endpoint, off.
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

/// Sets a PEM file of the CA certificates to trust instead of the system's trust store. lambda_client_new reads it.
///
/// @param path NULL: AWS_CA_BUNDLE, the profile's ca_bundle, SSL_CERT_FILE and SSL_CERT_DIR, the system's trust
/// store; where that is empty, Mozilla's roots.
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

/// Sets the proxy: an http, https or socks5 URL, with user:password@ if the proxy requires it.
/// @param url "": no proxy. NULL: HTTPS_PROXY or HTTP_PROXY, then ALL_PROXY, with the exceptions of NO_PROXY; of each
/// name the lower-case variable first.
///
/// # Safety
/// See [`handle::as_mut`] and [`text::optional`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_set_proxy(config: *mut lambda_config, url: *const c_char) -> lambda_status {
    set(config, "proxy", |config| {
        // SAFETY: the header's conventions.
        let url = unsafe { text::optional("proxy", url) }?;
        url.map_or(Ok(()), |url| proxy::check("proxy", url))?;
        let url = url.map(|url| text::copy("proxy", url)).transpose()?;
        config.proxy.zeroize();
        config.proxy = url;
        Ok(())
    })
}

/// Names the application in the User-Agent header: 1 to 50 characters of A-Z, a-z, 0-9 and `!#$%&'*+-.^_|~` and the
/// backtick.
///
/// @param app_id NULL: AWS_SDK_UA_APP_ID, the profile's sdk_ua_app_id.
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

/// Limits the time for one connection: name lookup, TCP, proxy and TLS together. Ends an attempt, not the call.
///
/// @param ms Milliseconds; 0 is the default, 5 s. If you compute the value, pass at least 1: a computed 0 would mean
/// 5 s.
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

/// Sets the deadline of a whole call, waiting for a permit and for credentials and all retries included.
///
/// @param ms Milliseconds; 0 is the default, 910 s, for an Event and a DryRun 60 s. If you compute the time that is
/// left, pass at least 1: a computed 0 would mean the default.
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

/// Limits the attempts of a call, the first one included.
///
/// @param attempts 0: AWS_MAX_ATTEMPTS, the profile's max_attempts, 3.
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

/// Chooses which attempts are retried. No environment variable and no file ever chooses LAMBDA_RETRY_ALWAYS.
///
/// @param mode One of LAMBDA_RETRY_*; -1 as if never set: LAMBDA_RETRY_SAFE.
///
/// # Safety
/// See [`handle::as_mut`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_config_set_retry(config: *mut lambda_config, mode: i32) -> lambda_status {
    set(config, "retry", |config| {
        config.retry = retry_mode(mode)?;
        Ok(())
    })
}

/// Limits the calls of this client under way at once in this process. Further calls wait for a permit, within their
/// deadlines.
///
/// @param connections 0 is the default: what half of RLIMIT_NOFILE allows, where a blocking call takes up to 4
/// descriptors, and a call of a queue 1; with 1,024 descriptors, 128 blocking calls or 512 of queues.
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

/// Limits the payload of one response.
///
/// @param bytes 0 is the default, 64 MiB.
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

/// Sets a callback for the library's log events, which never hold a secret. LAMBDA_INVOKE_LOG=debug (or another
/// level) prints the same events to stderr. It takes user_data even when it fails, as
/// lambda_config_set_credentials_callback does.
///
/// @param max_level One of LAMBDA_LOG_LEVEL_*: the most detailed level that is passed on. LAMBDA_LOG_LEVEL_OFF unsets
/// the callback.
///
/// @param callback NULL unsets it.
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

/// Runs a setter that takes over the caller's user_data, if `change` takes it. Anything that is not taken or that is
/// replaced is released after the setter has finished with the config, since the release is the caller's code, which
/// may use it.
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

/// Runs a setter: it changes `config`, or its error is recorded there.
fn set(
    config: *mut lambda_config,
    field: &'static str,
    change: impl FnOnce(&mut Config) -> Result<(), Error>,
) -> lambda_status {
    entry(
        |_| LAMBDA_E_INTERNAL,
        || {
            // SAFETY: every setter got this pointer from its caller, under the header's conventions.
            let Some(config) = (unsafe { handle::as_mut(config) }) else { return LAMBDA_E_INVALID_ARGUMENT };
            let result = text::check_memory(field).and_then(|()| change(&mut config.config));
            config.setter_errors.record(field, result)
        },
    )
}
