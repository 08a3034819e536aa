//! The settings of a client: what can be set, what the environment says, and what holds in the end.

use std::fmt;
use std::time::Duration;

use aws_credential_types::Credentials;

use super::credentials::{self, Source};
use super::endpoint::Endpoint;
use super::error::Error;
use super::region;
use super::request::InvocationType;
use super::retry::RetryMode;

/// The defaults of everything that can be set, and of the connections.
pub(crate) mod default {
    use std::time::Duration;

    /// A function may run 15 minutes.
    pub(crate) const TIMEOUT: Duration = Duration::from_secs(910);
    /// Event and DryRun are answered at once.
    pub(crate) const TIMEOUT_WITHOUT_WAIT: Duration = Duration::from_secs(60);
    /// Name, TCP and TLS of one connection together.
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

/// How to reach Lambda. What is not set, or 0, comes from the environment when the client is made, else from the defaults.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Config {
    /// Such as `us-east-1`; else AWS_REGION, AWS_DEFAULT_REGION. A full ARN's own region goes before it.
    pub region: Option<String>,
    /// `http(s)://host[:port][/path]`; else AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL, else AWS's own for the region.
    pub endpoint_url: Option<String>,
    /// One connection: name, TCP and TLS together; 5 s. Ends an attempt, not the call.
    pub connect_timeout: Option<Duration>,
    /// A whole call, waiting for a connection and retries included; 910 s, Event and DryRun 60 s.
    pub timeout: Option<Duration>,
    /// The first try included; 3.
    pub max_attempts: Option<u32>,
    /// What may be tried again; [`RetryMode::Safe`].
    pub retry: Option<RetryMode>,
    /// Calls under way at once; what half of the process's descriptors allow. More wait their turn.
    pub max_connections: Option<u32>,
    /// Of one answer's payload; 64 MiB.
    pub max_response_bytes: Option<u64>,
    credentials: Option<Credentials>,
}

impl Config {
    /// Signs with these keys instead of those of the environment. Refuses keys that no header could carry.
    pub fn set_credentials(
        &mut self,
        access_key_id: &str,
        secret_access_key: &str,
        session_token: Option<&str>,
    ) -> Result<(), Error> {
        credentials::check("credentials", access_key_id, secret_access_key, session_token)?;
        let token = session_token.map(str::to_owned);
        self.credentials = Some(Credentials::new(access_key_id, secret_access_key, token, None, "Config"));
        Ok(())
    }

    /// Takes the keys of the environment again.
    pub fn unset_credentials(&mut self) {
        self.credentials = None;
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("region", &self.region)
            .field("endpoint_url", &self.endpoint_url.as_ref().map(|_| "set"))
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .field("max_attempts", &self.max_attempts)
            .field("retry", &self.retry)
            .field("max_connections", &self.max_connections)
            .field("max_response_bytes", &self.max_response_bytes)
            .field("credentials", &self.credentials.as_ref().map(|_| "set"))
            .finish()
    }
}

/// 0 is the default, in Rust as in C: nobody means a call that may take no time, or never begin.
fn unless_zero<T: Default + PartialEq>(value: Option<T>) -> Option<T> {
    value.filter(|value| *value != T::default())
}

/// What holds for a client: settled once, when it is made.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Without one, only calls by full ARN can be made.
    pub(crate) region: Option<String>,
    /// A custom endpoint; else each call's region has its own.
    pub(crate) endpoint: Option<Endpoint>,
    pub(crate) credentials: Source,
    pub(crate) connect_timeout: Duration,
    timeout: Option<Duration>,
    pub(crate) max_attempts: u32,
    pub(crate) retry: RetryMode,
    /// `None`: what the descriptors allow.
    pub(crate) max_connections: Option<u32>,
    pub(crate) max_response_bytes: u64,
}

impl Settings {
    /// Setters before the environment before the defaults. `variable` reads the environment.
    pub(crate) fn settle(
        config: &Config,
        variable: impl Fn(&str) -> Option<std::ffi::OsString>,
    ) -> Result<Self, Error> {
        // Set but empty is as good as not set, as the AWS tools have it.
        let variable = |name: &str| match variable(name).map(std::ffi::OsString::into_string) {
            None => Ok(None),
            Some(Ok(value)) if value.is_empty() => Ok(None),
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(_)) => Err(Error::config(format!("{name}: is not UTF-8"))),
        };
        let first = |names: &[&'static str]| -> Result<Option<(&'static str, String)>, Error> {
            for name in names {
                if let Some(value) = variable(name)? {
                    return Ok(Some((name, value)));
                }
            }
            Ok(None)
        };

        // The caller's own mistake is an argument's, the environment's one of configuration.
        let in_environment = |error: Error| Error::config(error.message());
        let region = match &config.region {
            Some(region) => Some(region::check("region", region).map(|()| region.clone())),
            None => first(&["AWS_REGION", "AWS_DEFAULT_REGION"])?
                .map(|(name, region)| region::check(name, &region).map(|()| region).map_err(in_environment)),
        };
        let endpoint = match &config.endpoint_url {
            Some(url) => Some(Endpoint::custom("endpoint_url", url)),
            None => first(&["AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL"])?
                .map(|(name, url)| Endpoint::custom(name, &url).map_err(in_environment)),
        };
        let credentials = match &config.credentials {
            Some(given) => Source::from_setter(given),
            None => Source::from_environment(variable),
        };
        Ok(Self {
            region: region.transpose()?,
            endpoint: endpoint.transpose()?,
            credentials,
            connect_timeout: unless_zero(config.connect_timeout).unwrap_or(default::CONNECT_TIMEOUT),
            timeout: unless_zero(config.timeout),
            max_attempts: unless_zero(config.max_attempts).unwrap_or(default::MAX_ATTEMPTS),
            retry: config.retry.unwrap_or(RetryMode::Safe),
            max_connections: unless_zero(config.max_connections),
            max_response_bytes: unless_zero(config.max_response_bytes).unwrap_or(default::MAX_RESPONSE_BYTES),
        })
    }

    /// Of a call for which no other time was asked.
    pub(crate) fn timeout(&self, kind: InvocationType) -> Duration {
        self.timeout.unwrap_or(match kind {
            InvocationType::RequestResponse => default::TIMEOUT,
            InvocationType::Event | InvocationType::DryRun => default::TIMEOUT_WITHOUT_WAIT,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settle(config: &Config, set: &[(&str, &str)]) -> Result<Settings, Error> {
        Settings::settle(config, |name| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into()))
    }

    #[test]
    fn setters_go_before_the_environment_and_the_particular_before_the_general() {
        let env = [
            ("AWS_REGION", "eu-west-1"),
            ("AWS_DEFAULT_REGION", "eu-west-2"),
            ("AWS_ENDPOINT_URL_LAMBDA", "http://lambda:1"),
            ("AWS_ENDPOINT_URL", "http://all:2"),
        ];
        let settings = settle(&Config::default(), &env).unwrap();
        assert_eq!(settings.region.as_deref(), Some("eu-west-1"));
        assert_eq!(settings.endpoint.unwrap().host, "lambda:1");

        let config = Config {
            region: Some("us-east-2".into()),
            endpoint_url: Some("http://mine:3".into()),
            ..Config::default()
        };
        let settings = settle(&config, &env).unwrap();
        assert_eq!(settings.region.as_deref(), Some("us-east-2"));
        assert_eq!(settings.endpoint.unwrap().host, "mine:3");

        let settings = settle(&Config::default(), &[("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "eu-west-2")]).unwrap();
        assert_eq!(settings.region.as_deref(), Some("eu-west-2"));
        assert!(settings.endpoint.is_none());
    }

    #[test]
    fn a_bad_setting_is_refused_by_the_name_it_came_under() {
        let error = settle(&Config::default(), &[("AWS_DEFAULT_REGION", "us-east-1/evil")]).unwrap_err();
        assert!(error.message().starts_with("AWS_DEFAULT_REGION: "), "{error}");
        let error = settle(&Config::default(), &[("AWS_ENDPOINT_URL", "localhost")]).unwrap_err();
        assert!(error.message().starts_with("AWS_ENDPOINT_URL: "), "{error}");
    }

    #[test]
    fn only_request_response_waits_for_a_function() {
        let settings = settle(&Config::default(), &[]).unwrap();
        assert_eq!(settings.timeout(InvocationType::RequestResponse), Duration::from_secs(910));
        assert_eq!(settings.timeout(InvocationType::Event), Duration::from_secs(60));
        assert_eq!(settings.timeout(InvocationType::DryRun), Duration::from_secs(60));
    }

    #[test]
    fn debug_output_holds_no_secret() {
        let mut config = Config { endpoint_url: Some("http://u:hunter2@h".into()), ..Config::default() };
        config.set_credentials("AKID", "hunter2", Some("hunter2")).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
