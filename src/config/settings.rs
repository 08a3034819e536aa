//! What holds for a client: each setting from the first place that says something about it. Setters go before the
//! environment, that before the profile, that before the defaults.

use std::borrow::Cow;
use std::time::Duration;

use crate::config::config::{Config, RetryMode, default};
use crate::config::endpoint::{Endpoint, Variant};
use crate::config::environment::Environment;
use crate::config::lookup::{Lookup, checked};
use crate::config::proxy::Proxies;
use crate::config::setting::{Origin, Setting};
use crate::config::tls::Trust;
use crate::config::{region, user_agent};
use crate::error::{Error, quoted};
use crate::log::{Log, LogLevel, Sink};

/// Chooses how much goes to stderr; nothing else ever writes there.
const LOG_VARIABLE: &str = "LAMBDA_INVOKE_LOG";

/// Settled once, when a client is made.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Without one, only calls by full ARN can be made.
    pub(crate) region: Option<Setting<String>>,
    /// A custom endpoint; else each call's region has its own.
    pub(crate) endpoint: Option<Setting<Endpoint>>,
    pub(crate) use_fips: Setting<bool>,
    pub(crate) use_dual_stack: Setting<bool>,
    pub(crate) trust: Setting<Trust>,
    pub(crate) proxies: Proxies,
    pub(crate) app_id: Option<Setting<String>>,
    pub(crate) user_agent: String,
    pub(crate) connect_timeout: Setting<Duration>,
    pub(crate) timeout: Option<Setting<Duration>>,
    pub(crate) max_attempts: Setting<u32>,
    pub(crate) retry: Setting<RetryMode>,
    /// `None`: what the descriptors allow.
    pub(crate) max_connections: Option<Setting<u32>>,
    pub(crate) max_response_bytes: Setting<u64>,
    pub(crate) profile: Setting<String>,
    /// Each file with where its path came from.
    pub(crate) files: [(&'static str, Setting<String>); 2],
    pub(crate) log: Log,
    /// Of the log that wants to know the most.
    pub(crate) log_level: Setting<Option<LogLevel>>,
}

/// 0 is the default, in Rust as in C: nobody means a call that may take no time, or never begin.
fn unless_zero<T: Default + PartialEq>(value: Option<T>) -> Option<T> {
    value.filter(|value| *value != T::default())
}

impl Settings {
    /// Resolves every setting. `stderr` receives the events that LAMBDA_INVOKE_LOG asks for; `callers` makes a sink of the
    /// caller's fit to be called from anywhere.
    pub(crate) fn resolve(
        config: &Config,
        lookup: &Lookup<'_>,
        stderr: Sink,
        callers: fn(Sink) -> Sink,
    ) -> Result<Self, Error> {
        let (log, log_level) = log(config, lookup.environment, stderr, callers)?;
        let use_fips = lookup.flag("use_fips", config.use_fips, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")?;
        let (variable, property) = ("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint");
        let use_dual_stack = lookup.flag("use_dual_stack", config.use_dual_stack, variable, property)?;
        let app_id = app_id(config, lookup)?;
        let profiles = lookup.profiles;
        Ok(Self {
            region: region(config, lookup)?,
            endpoint: endpoint(config, lookup, &use_fips, &use_dual_stack)?,
            use_fips,
            use_dual_stack,
            trust: Trust::resolve(config.ca_bundle.as_deref(), lookup.environment, profiles)?,
            proxies: Proxies::resolve(config.proxy.as_deref(), lookup.environment)?,
            user_agent: user_agent::user_agent(app_id.as_ref().map(|id| id.value.as_str())),
            app_id,
            connect_timeout: Setting::set_or(
                "connect_timeout",
                unless_zero(config.connect_timeout),
                default::CONNECT_TIMEOUT,
            ),
            timeout: unless_zero(config.timeout).map(|timeout| Setting::new(timeout, Origin::Setter("timeout"))),
            max_attempts: max_attempts(config, lookup)?,
            retry: retry(config, lookup)?,
            max_connections: unless_zero(config.max_connections)
                .map(|connections| Setting::new(connections, Origin::Setter("max_connections"))),
            max_response_bytes: Setting::set_or(
                "max_response_bytes",
                unless_zero(config.max_response_bytes),
                default::MAX_RESPONSE_BYTES,
            ),
            files: [("config_file", &profiles.config), ("credentials_file", &profiles.credentials)]
                .map(|(name, file)| (name, Setting::new(file.place(), file.path.origin.clone()))),
            profile: profiles.name.clone(),
            log,
            log_level,
        })
    }

    /// The timeout of a call that sets none of its own. `waits`: the response comes only when the function has run.
    pub(crate) fn timeout(&self, waits: bool) -> Duration {
        match (&self.timeout, waits) {
            (Some(timeout), _) => timeout.value,
            (None, true) => default::TIMEOUT,
            (None, false) => default::TIMEOUT_WITHOUT_WAIT,
        }
    }

    /// Where calls to a region go.
    pub(crate) fn endpoint_of(&self, region: &str) -> Cow<'_, Endpoint> {
        match &self.endpoint {
            Some(custom) => Cow::Borrowed(&custom.value),
            None => Cow::Owned(Endpoint::of_region(region, self.variant())),
        }
    }

    pub(crate) fn variant(&self) -> Variant {
        Variant { fips: self.use_fips.value, dual_stack: self.use_dual_stack.value }
    }

    /// Whether a connection to Lambda may need TLS. A CA file that was named counts in any case: a wrong name must not
    /// show only on the day when the file is needed.
    pub(crate) fn speaks_tls(&self) -> bool {
        matches!(self.trust.value, Trust::File(_))
            || self.endpoint.as_ref().is_none_or(|endpoint| endpoint.value.is_https())
            || self.proxies.http.value.as_ref().is_some_and(|proxy| proxy.url.scheme() == "https")
    }
}

fn from_setter(name: &'static str, value: &Option<String>) -> Option<Setting<String>> {
    value.clone().map(|value| Setting::new(value, Origin::Setter(name)))
}

fn log(
    config: &Config,
    environment: &Environment<'_>,
    stderr: Sink,
    callers: fn(Sink) -> Sink,
) -> Result<(Log, Setting<Option<LogLevel>>), Error> {
    let mut log = Log::default();
    let (set, in_environment) = (config.log.as_ref().map(|(level, _)| *level), stderr_level(environment)?);
    if let Some((level, sink)) = &config.log {
        log.add(*level, callers(sink.clone()));
    }
    if let Some(level) = in_environment {
        log.add(level, stderr);
    }
    let most = match (set, in_environment) {
        (None, None) => Setting::new(None, Origin::Default),
        (set, in_environment) if set > in_environment => Setting::new(set, Origin::Setter("log")),
        (_, in_environment) => Setting::new(in_environment, Origin::Variable(LOG_VARIABLE)),
    };
    Ok((log, most))
}

fn region(config: &Config, lookup: &Lookup<'_>) -> Result<Option<Setting<String>>, Error> {
    let region = match from_setter("region", &config.region) {
        Some(set) => Some(set),
        None => lookup.find(&["AWS_REGION", "AWS_DEFAULT_REGION"], "region")?,
    };
    region.map(|region| checked(region, |field, region| region::check(field, &region).map(|()| region))).transpose()
}

fn endpoint(
    config: &Config,
    lookup: &Lookup<'_>,
    use_fips: &Setting<bool>,
    use_dual_stack: &Setting<bool>,
) -> Result<Option<Setting<Endpoint>>, Error> {
    let endpoint = match from_setter("endpoint_url", &config.endpoint_url) {
        Some(set) => Some(set),
        None => lookup.endpoint_url("AWS_ENDPOINT_URL_LAMBDA", "lambda")?,
    };
    let endpoint = endpoint.map(|url| checked(url, |field, url| Endpoint::custom(field, &url))).transpose()?;
    for (variant, what) in [(use_fips, "FIPS endpoints"), (use_dual_stack, "dual-stack endpoints")] {
        if let (true, Some(endpoint)) = (variant.value, &endpoint) {
            return Err(Error::config(format!(
                "{what} ({}) do not go together with a custom endpoint ({}): unset one of them",
                variant.origin.field(),
                endpoint.origin.field()
            )));
        }
    }
    Ok(endpoint)
}

fn max_attempts(config: &Config, lookup: &Lookup<'_>) -> Result<Setting<u32>, Error> {
    if let Some(set) = unless_zero(config.max_attempts) {
        return Ok(Setting::new(set, Origin::Setter("max_attempts")));
    }
    match lookup.find(&["AWS_MAX_ATTEMPTS"], "max_attempts")? {
        Some(found) => {
            checked(found, |field, text| {
                text.trim().parse().ok().filter(|attempts| *attempts > 0).ok_or_else(|| {
                    Error::config(format!("{field}: {} is no number of attempts, 1 or more", quoted(&text)))
                })
            })
        }
        None => Ok(Setting::new(default::MAX_ATTEMPTS, Origin::Default)),
    }
}

fn retry(config: &Config, lookup: &Lookup<'_>) -> Result<Setting<RetryMode>, Error> {
    if let Some(set) = config.retry {
        return Ok(Setting::new(set, Origin::Setter("retry")));
    }
    match lookup.find(&["AWS_RETRY_MODE"], "retry_mode")? {
        Some(found) => checked(found, |field, mode| match mode.to_ascii_lowercase().as_str() {
            "legacy" | "standard" | "adaptive" => Ok(RetryMode::Safe),
            _ => Err(Error::config(format!(
                "{field}: {} is no retry mode: expected legacy, standard or adaptive",
                quoted(&mode)
            ))),
        }),
        None => Ok(Setting::new(RetryMode::Safe, Origin::Default)),
    }
}

fn app_id(config: &Config, lookup: &Lookup<'_>) -> Result<Option<Setting<String>>, Error> {
    match from_setter("app_id", &config.app_id) {
        Some(set) => checked(set, |field, id| user_agent::check_app_id(field, &id).map(|()| id)).map(Some),
        None => lookup.find(&["AWS_SDK_UA_APP_ID"], "sdk_ua_app_id"),
    }
}

fn stderr_level(environment: &Environment<'_>) -> Result<Option<LogLevel>, Error> {
    let Some(level) = environment.get(LOG_VARIABLE)? else { return Ok(None) };
    LogLevel::parse(&level).ok_or_else(|| {
        Error::config(format!(
            "{LOG_VARIABLE}: {} is no level: expected off, error, warn, info, debug or trace",
            quoted(&level)
        ))
    })
}

#[cfg(test)]
impl Settings {
    /// With these variables, without a home.
    pub(crate) fn of(config: &Config, variables: &[(&str, &str)]) -> Result<Self, Error> {
        let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into());
        let environment = Environment { variable: &variable, home: None };
        let profiles = crate::config::profile::Profiles::read(config.profile.as_deref(), &environment)?;
        let lookup = Lookup { environment: &environment, profiles: &profiles };
        Self::resolve(config, &lookup, std::sync::Arc::new(|_, _, _| {}), |sink| sink)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN_KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];

    fn region(settings: &Settings) -> Option<&str> {
        settings.region.as_ref().map(|region| region.value.as_str())
    }

    #[test]
    fn setters_go_before_the_environment_and_the_particular_before_the_general() {
        let env = [
            ("AWS_REGION", "eu-west-1"),
            ("AWS_DEFAULT_REGION", "eu-west-2"),
            ("AWS_ENDPOINT_URL_LAMBDA", "http://lambda:1"),
            ("AWS_ENDPOINT_URL", "http://all:2"),
        ];
        let settings = Settings::of(&Config::default(), &env).unwrap();
        assert_eq!(region(&settings), Some("eu-west-1"));
        assert_eq!(settings.endpoint.unwrap().value.host, "lambda:1");

        let config = Config {
            region: Some("us-east-2".into()),
            endpoint_url: Some("http://mine:3".into()),
            ..Config::default()
        };
        let settings = Settings::of(&config, &env).unwrap();
        assert_eq!(region(&settings), Some("us-east-2"));
        assert_eq!(settings.endpoint.unwrap().value.host, "mine:3");

        let env = [("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "eu-west-2")];
        let settings = Settings::of(&Config::default(), &env).unwrap();
        assert_eq!(region(&settings), Some("eu-west-2"));
        assert!(settings.endpoint.is_none());
    }

    #[test]
    fn a_bad_setting_is_refused_by_the_name_it_came_under() {
        for (name, value) in [
            ("AWS_DEFAULT_REGION", "us-east-1/evil"),
            ("AWS_ENDPOINT_URL", "localhost"),
            ("AWS_MAX_ATTEMPTS", "0"),
            ("AWS_MAX_ATTEMPTS", "many"),
            ("AWS_RETRY_MODE", "always"),
            ("AWS_USE_FIPS_ENDPOINT", "yes"),
            ("LAMBDA_INVOKE_LOG", "loud"),
            ("HTTPS_PROXY", "ftp://proxy"),
        ] {
            let error = Settings::of(&Config::default(), &[(name, value)]).unwrap_err();
            assert!(error.message().starts_with(&format!("{name}: ")), "{error}");
            assert_eq!(error.status(), crate::Status::Config, "{error}");
        }
    }

    #[test]
    fn a_custom_endpoint_is_refused_together_with_fips_and_dual_stack() {
        for variant in ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"] {
            let error =
                Settings::of(&Config::default(), &[("AWS_ENDPOINT_URL", "http://h"), (variant, "true")]).unwrap_err();
            assert!(error.message().contains("AWS_ENDPOINT_URL") && error.message().contains(variant), "{error}");
            let config = Config { use_fips: Some(false), use_dual_stack: Some(false), ..Config::default() };
            assert!(Settings::of(&config, &[("AWS_ENDPOINT_URL", "http://h"), (variant, "true")]).is_ok());
        }
    }

    #[test]
    fn a_call_that_waits_for_its_function_has_more_time() {
        let settings = Settings::of(&Config::default(), &[]).unwrap();
        assert_eq!(settings.timeout(true), Duration::from_secs(910));
        assert_eq!(settings.timeout(false), Duration::from_secs(60));
    }

    #[test]
    fn no_environment_chooses_to_run_a_function_twice() {
        for mode in ["legacy", "standard", "adaptive", "STANDARD"] {
            let settings = Settings::of(&Config::default(), &[("AWS_RETRY_MODE", mode)]).unwrap();
            assert_eq!(settings.retry.value, RetryMode::Safe);
        }
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        let env =
            [("HTTPS_PROXY", "http://u:hunter2@proxy:1"), ("AWS_SESSION_TOKEN", "hunter2"), OWN_KEYS[0], OWN_KEYS[1]];
        let settings = Settings::of(&Config::default(), &env).unwrap();
        let credentials = Setting::new("access key AKID".to_owned(), Origin::Default);
        for shown in [format!("{settings:?}"), crate::config::describe::describe(&settings, &credentials, false)] {
            assert!(shown.contains("proxy:1") && !shown.contains("hunter2"), "{shown}");
        }
    }
}
