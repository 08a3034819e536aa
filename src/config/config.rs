//! What can be set for a client, and the defaults. `settings` resolves what is not set.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::config::credentials::{Callback, Credentials};
use crate::error::Error;
use crate::log::{LogLevel, Sink};

/// The defaults of the settings and of the connections.
pub(crate) mod default {
    use std::time::Duration;

    /// A function may run 15 minutes.
    pub(crate) const TIMEOUT: Duration = Duration::from_secs(910);
    /// Event and DryRun get their response at once.
    pub(crate) const TIMEOUT_WITHOUT_WAIT: Duration = Duration::from_secs(60);
    /// Name lookup, TCP and TLS of one connection together.
    pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
    pub(crate) const MAX_ATTEMPTS: u32 = 3;
    pub(crate) const MAX_RESPONSE_BYTES: u64 = 64 * 1024 * 1024;
    /// NAT gateways drop a connection that is silent for 350 s; a function may be silent for 900 s.
    pub(crate) const TCP_KEEPALIVE: Duration = Duration::from_secs(30);
    pub(crate) const TCP_KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
    pub(crate) const TCP_KEEPALIVE_PROBES: u32 = 3;
    pub(crate) const TCP_USER_TIMEOUT: Duration = Duration::from_secs(60);
    pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(50);
}

/// Which attempts are retried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetryMode {
    /// Only attempts that certainly did not run.
    #[default]
    Safe,
    /// None.
    None,
    /// Also attempts that may have run, for functions that may run twice.
    Always,
}

/// How to reach Lambda. Settings that are not set, or 0, come from the environment and the shared AWS files when the client
/// is made, else from the defaults.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Config {
    /// The AWS region, such as `us-east-1`; else AWS_REGION, AWS_DEFAULT_REGION, the profile. A full ARN's own region goes
    /// before it. `fips-us-east-1` and `us-east-1-fips` stand for the FIPS endpoints of `us-east-1`.
    pub region: Option<String>,
    /// A profile of the shared files, which must exist; else AWS_PROFILE, AWS_DEFAULT_PROFILE, `default`. Set here, its
    /// credentials go before those of the environment.
    pub profile: Option<String>,
    /// A custom endpoint, `http(s)://host[:port][/path]`; else AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL, the profile, AWS's
    /// own endpoint for the region.
    pub endpoint_url: Option<String>,
    /// Whether to use endpoints with FIPS 140 cryptography; else AWS_USE_FIPS_ENDPOINT, the profile. Cannot be combined with
    /// a custom endpoint.
    pub use_fips: Option<bool>,
    /// Whether to use endpoints that have IPv6 addresses too; else AWS_USE_DUALSTACK_ENDPOINT, the profile. Cannot be
    /// combined with a custom endpoint.
    pub use_dual_stack: Option<bool>,
    /// A PEM file of the certificates to trust; else AWS_CA_BUNDLE, the profile, SSL_CERT_FILE, the system's trust store.
    pub ca_bundle: Option<String>,
    /// The URL of a proxy, with `user:password@` if the proxy needs that; empty for no proxy; else HTTPS_PROXY, HTTP_PROXY,
    /// ALL_PROXY, with the exceptions of NO_PROXY.
    pub proxy: Option<String>,
    /// The application's name in User-Agent; else AWS_SDK_UA_APP_ID, the profile.
    pub app_id: Option<String>,
    /// The timeout of one connection: name lookup, TCP, proxy and TLS together; 5 s. Ends an attempt, not the call.
    pub connect_timeout: Option<Duration>,
    /// The timeout of a whole call, including the wait for a permit, credentials and retries; 910 s, 60 s for Event and
    /// DryRun.
    pub timeout: Option<Duration>,
    /// The most attempts of a call, including the first; else AWS_MAX_ATTEMPTS, the profile, 3.
    pub max_attempts: Option<u32>,
    /// Which attempts are retried; [`RetryMode::Safe`]. No environment variable and no file ever chooses
    /// [`RetryMode::Always`].
    pub retry: Option<RetryMode>,
    /// The most calls at once; by default half of the process's descriptors at 4 for each call, which is 128 with a limit of
    /// 1,024. More calls wait for a permit, within their deadlines.
    pub max_connections: Option<u32>,
    /// The largest payload of a response; 64 MiB.
    pub max_response_bytes: Option<u64>,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) callback: Option<Callback>,
    pub(crate) log: Option<(LogLevel, Sink)>,
}

impl Config {
    /// Sets credentials that all calls are signed with. Rejects credentials that no header could carry.
    pub fn set_credentials(
        &mut self,
        access_key_id: &str,
        secret_access_key: &str,
        session_token: Option<&str>,
    ) -> Result<(), Error> {
        self.credentials = Some(Credentials::new(access_key_id, secret_access_key, session_token, None)?);
        Ok(())
    }

    /// Unsets them: the callback, the environment and the files count again.
    pub fn unset_credentials(&mut self) {
        self.credentials = None;
    }

    /// Sets a callback that returns credentials, unless credentials are set. It is called when there are none yet and
    /// shortly before they expire, on the thread inside the call or one of this library's, never twice at once for one client.
    /// Its error becomes part of the call's message. It may block: the deadline of the call that it serves is then late.
    pub fn set_credentials_callback(
        &mut self,
        callback: impl Fn() -> Result<Credentials, String> + Send + Sync + 'static,
    ) {
        self.callback = Some(Callback::new(callback));
    }

    /// Unsets it: the environment and the files count again.
    pub fn unset_credentials_callback(&mut self) {
        self.callback = None;
    }

    /// Sets a sink for log events up to `max_level` (level, target, message). It is called on the thread where an event
    /// happens, by several threads at once, and never with a secret. It must not call this library.
    pub fn set_log(&mut self, max_level: LogLevel, sink: impl Fn(LogLevel, &str, &str) + Send + Sync + 'static) {
        self.log = Some((max_level, Arc::new(sink)));
    }

    /// Unsets it.
    pub fn unset_log(&mut self) {
        self.log = None;
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // URLs may hold passwords.
        f.debug_struct("Config")
            .field("region", &self.region)
            .field("profile", &self.profile)
            .field("endpoint_url", &self.endpoint_url.as_ref().map(|_| "set"))
            .field("use_fips", &self.use_fips)
            .field("use_dual_stack", &self.use_dual_stack)
            .field("ca_bundle", &self.ca_bundle)
            .field("proxy", &self.proxy.as_ref().map(|_| "set"))
            .field("app_id", &self.app_id)
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .field("max_attempts", &self.max_attempts)
            .field("retry", &self.retry)
            .field("max_connections", &self.max_connections)
            .field("max_response_bytes", &self.max_response_bytes)
            .field("credentials", &self.credentials.as_ref().map(|_| "set"))
            .field("credentials_callback", &self.callback.as_ref().map(|_| "set"))
            .field("log", &self.log.as_ref().map(|(level, _)| level))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_holds_no_secret() {
        let mut config = Config {
            endpoint_url: Some("http://u:hunter2@h".into()),
            proxy: Some("http://u:hunter2@h".into()),
            ..Config::default()
        };
        config.set_credentials("AKID", "hunter2", Some("hunter2")).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
