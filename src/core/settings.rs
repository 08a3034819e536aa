//! What holds for a client: each setting from the first place that says something about it. Setters go before the
//! environment, that before the profile, that before the defaults.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

use super::chain::Chain;
use super::config::{Config, default};
use super::credentials::{Callback, Credentials};
use super::endpoint::{Endpoint, Variant};
use super::environment::Environment;
use super::error::{Error, quoted};
use super::log::{Log, LogLevel, Sink};
use super::profile::Profiles;
use super::proxy::Proxies;
use super::request::InvocationType;
use super::retry::RetryMode;
use super::setting::{Origin, Setting};
use super::tls::Trust;
use super::{region, user_agent};

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
    pub(crate) credentials: Source,
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

/// Whom to ask for keys.
#[derive(Debug)]
pub(crate) enum Source {
    /// They are known, and never change.
    Static(Setting<Credentials>),
    Callback(Callback),
    Chain(Box<Chain>),
}

/// What is asked, in short and without secrets.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(keys) => write!(f, "access key {}", keys.value.access_key_id()),
            Self::Callback(_) => f.write_str("callback"),
            Self::Chain(chain) => f.write_str(&chain.summary().value),
        }
    }
}

/// 0 is the default, in Rust as in C: nobody means a call that may take no time, or never begin.
fn unless_zero<T: Default + PartialEq>(value: Option<T>) -> Option<T> {
    value.filter(|value| *value != T::default())
}

impl Settings {
    /// `stderr` gets the events that LAMBDA_INVOKE_LOG asks for.
    pub(crate) fn settle(config: &Config, environment: &Environment<'_>, stderr: Sink) -> Result<Self, Error> {
        let mut log = Log::default();
        let (set, in_environment) = (config.log.as_ref().map(|(level, _)| *level), stderr_level(environment)?);
        if let Some((level, sink)) = &config.log {
            log.add(*level, sink.clone());
        }
        if let Some(level) = in_environment {
            log.add(level, stderr);
        }
        let log_level = match (set, in_environment) {
            (None, None) => Setting::new(None, Origin::Default),
            (set, in_environment) if set > in_environment => Setting::new(set, Origin::Setter("log")),
            (_, in_environment) => Setting::new(in_environment, Origin::Variable(LOG_VARIABLE)),
        };

        let profiles = Profiles::read(config.profile.as_deref(), environment)?;
        let places = Places { environment, profiles: &profiles };
        let setter =
            |name, value: &Option<String>| value.clone().map(|value| Setting::new(value, Origin::Setter(name)));

        let region = match setter("region", &config.region) {
            Some(set) => Some(set),
            None => places.find(&["AWS_REGION", "AWS_DEFAULT_REGION"], "region")?,
        };
        let region =
            region.map(|region| checked(region, |field, region| region::check(field, &region).map(|()| region)));
        let region = region.transpose()?;

        let use_fips = places.flag("use_fips", config.use_fips, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")?;
        let use_dual_stack = places.flag(
            "use_dual_stack",
            config.use_dual_stack,
            "AWS_USE_DUALSTACK_ENDPOINT",
            "use_dualstack_endpoint",
        )?;
        let endpoint = match setter("endpoint_url", &config.endpoint_url) {
            Some(set) => Some(set),
            None => places.endpoint_url("AWS_ENDPOINT_URL_LAMBDA", "lambda")?,
        };
        let endpoint = endpoint.map(|url| checked(url, |field, url| Endpoint::custom(field, &url))).transpose()?;
        for (variant, what) in [(&use_fips, "FIPS endpoints"), (&use_dual_stack, "dual-stack endpoints")] {
            if let (true, Some(endpoint)) = (variant.value, &endpoint) {
                return Err(Error::config(format!(
                    "{what} ({}) do not go together with a custom endpoint ({}): unset one of them",
                    variant.origin.field(),
                    endpoint.origin.field()
                )));
            }
        }

        let max_attempts = match unless_zero(config.max_attempts) {
            Some(set) => Setting::new(set, Origin::Setter("max_attempts")),
            None => match places.find(&["AWS_MAX_ATTEMPTS"], "max_attempts")? {
                Some(found) => checked(found, |field, text| {
                    text.trim().parse().ok().filter(|attempts| *attempts > 0).ok_or_else(|| {
                        Error::config(format!("{field}: {} is no number of attempts, 1 or more", quoted(&text)))
                    })
                })?,
                None => Setting::new(default::MAX_ATTEMPTS, Origin::Default),
            },
        };
        let retry = match config.retry {
            Some(set) => Setting::new(set, Origin::Setter("retry")),
            None => match places.find(&["AWS_RETRY_MODE"], "retry_mode")? {
                Some(found) => checked(found, |field, mode| match mode.to_ascii_lowercase().as_str() {
                    "legacy" | "standard" | "adaptive" => Ok(RetryMode::Safe),
                    _ => Err(Error::config(format!(
                        "{field}: {} is no retry mode: expected legacy, standard or adaptive",
                        quoted(&mode)
                    ))),
                })?,
                None => Setting::new(RetryMode::Safe, Origin::Default),
            },
        };
        let app_id = match setter("app_id", &config.app_id) {
            Some(set) => Some(checked(set, |field, id| user_agent::check_app_id(field, &id).map(|()| id))?),
            None => places.find(&["AWS_SDK_UA_APP_ID"], "sdk_ua_app_id")?,
        };
        let proxies = Proxies::settle(config.proxy.as_deref(), environment)?;
        let trust = Trust::settle(config.ca_bundle.as_deref(), environment, &profiles)?;

        let credentials = match (&config.credentials, &config.callback) {
            (Some(keys), _) => Source::Static(Setting::new(keys.clone(), Origin::Setter("credentials"))),
            (None, Some(callback)) => Source::Callback(callback.clone()),
            (None, None) => {
                let region = region.as_ref().map(|region| region.value.clone());
                let variant = Variant { fips: use_fips.value, dual_stack: use_dual_stack.value };
                let keys = match &config.profile {
                    None => places.keys()?,
                    // They matter only to a profile that names them.
                    Some(_) => places.keys().unwrap_or_default(),
                };
                match keys {
                    Some(keys) if config.profile.is_none() => Source::Static(keys),
                    keys => {
                        Source::Chain(Box::new(Chain::settle(&places, keys.map(|keys| keys.value), region, variant)?))
                    }
                }
            }
        };
        Ok(Self {
            user_agent: user_agent::user_agent(app_id.as_ref().map(|id| id.value.as_str())),
            region,
            endpoint,
            use_fips,
            use_dual_stack,
            credentials,
            trust,
            proxies,
            app_id,
            connect_timeout: Setting::set_or(
                "connect_timeout",
                unless_zero(config.connect_timeout),
                default::CONNECT_TIMEOUT,
            ),
            timeout: unless_zero(config.timeout).map(|timeout| Setting::new(timeout, Origin::Setter("timeout"))),
            max_attempts,
            retry,
            max_connections: unless_zero(config.max_connections)
                .map(|connections| Setting::new(connections, Origin::Setter("max_connections"))),
            max_response_bytes: Setting::set_or(
                "max_response_bytes",
                unless_zero(config.max_response_bytes),
                default::MAX_RESPONSE_BYTES,
            ),
            files: [("config_file", &profiles.config), ("credentials_file", &profiles.credentials)]
                .map(|(name, file)| (name, Setting::new(file.place(), file.path.origin.clone()))),
            profile: profiles.name,
            log,
            log_level,
        })
    }

    /// Of a call for which no other time was asked.
    pub(crate) fn timeout(&self, kind: InvocationType) -> Duration {
        match (&self.timeout, kind) {
            (Some(timeout), _) => timeout.value,
            (None, InvocationType::RequestResponse) => default::TIMEOUT,
            (None, InvocationType::Event | InvocationType::DryRun) => default::TIMEOUT_WITHOUT_WAIT,
        }
    }

    /// Where calls to a region go.
    pub(crate) fn endpoint_of(&self, region: &str) -> Cow<'_, Endpoint> {
        match &self.endpoint {
            Some(custom) => Cow::Borrowed(&custom.value),
            None => Cow::Owned(Endpoint::of_region(region, self.variant())),
        }
    }

    fn variant(&self) -> Variant {
        Variant { fips: self.use_fips.value, dual_stack: self.use_dual_stack.value }
    }

    /// Whether any connection of this client may need TLS: the endpoint's, or that to who gives the keys. A file that was
    /// named is read in any case: a wrong name should not show only on the day when it is needed.
    pub(crate) fn speaks_tls(&self) -> bool {
        matches!(self.trust.value, Trust::File(_))
            || self.endpoint.as_ref().is_none_or(|endpoint| endpoint.value.is_https())
            || matches!(self.credentials, Source::Chain(_))
            || self.proxies.http.value.as_ref().is_some_and(|proxy| proxy.url.scheme() == "https")
    }
}

/// A bad value of the caller's is an argument's mistake, one of the environment or of a file a configuration's.
pub(crate) fn checked<T, U>(
    setting: Setting<T>,
    check: impl FnOnce(&str, T) -> Result<U, Error>,
) -> Result<Setting<U>, Error> {
    let is_setter = matches!(setting.origin, Origin::Setter(_));
    setting.try_map(check).map_err(|error| if is_setter { error } else { Error::config(error.message()) })
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

/// Where settings are looked for that no setter gave.
pub(crate) struct Places<'a> {
    pub(crate) environment: &'a Environment<'a>,
    pub(crate) profiles: &'a Profiles,
}

impl Places<'_> {
    /// The first of these variables that is set, else the selected profile's key.
    fn find(&self, variables: &[&'static str], key: &str) -> Result<Option<Setting<String>>, Error> {
        Ok(self.environment.first(variables)?.or_else(|| self.profiles.selected(key)))
    }

    fn flag(
        &self,
        setter: &'static str,
        set: Option<bool>,
        variable: &'static str,
        key: &str,
    ) -> Result<Setting<bool>, Error> {
        if let Some(on) = set {
            return Ok(Setting::new(on, Origin::Setter(setter)));
        }
        match self.find(&[variable], key)? {
            None => Ok(Setting::new(false, Origin::Default)),
            Some(found) => checked(found, |field, text| match text.to_ascii_lowercase().as_str() {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(Error::config(format!("{field}: {} is neither true nor false", quoted(&text)))),
            }),
        }
    }

    /// A service's endpoint, as AWS_ENDPOINT_URL and its kin set it; `variable` and `service` name the service.
    pub(crate) fn endpoint_url(&self, variable: &'static str, service: &str) -> Result<Option<Setting<String>>, Error> {
        let (name, key) = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls");
        if self.flag(key, None, name, key)?.value {
            return Ok(None);
        }
        let found = self.environment.first(&[variable, "AWS_ENDPOINT_URL"])?;
        let found = found.or_else(|| self.profiles.endpoint_of_service(service));
        Ok(found.or_else(|| self.profiles.selected("endpoint_url")))
    }

    /// The keys of the environment, if both are there. Blanks around them are nobody's intention.
    fn keys(&self) -> Result<Option<Setting<Credentials>>, Error> {
        const ID: &str = "AWS_ACCESS_KEY_ID";
        const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
        let (Some(id), Some(secret)) = (self.environment.get(ID)?, self.environment.get(SECRET)?) else {
            return Ok(None);
        };
        let secret = Zeroizing::new(secret);
        // The second is what it was called once.
        let token = self.environment.first(&["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"])?;
        let token = token.map(|token| Zeroizing::new(token.value));
        let token = token.as_deref().map(|token| token.trim()).filter(|token| !token.is_empty());
        if id.trim().is_empty() || secret.trim().is_empty() {
            return Ok(None);
        }
        let keys = Credentials::new(id.trim(), secret.trim(), token, None)
            .map_err(|error| Error::config(format!("environment variables {ID} and others: {}", error.message())))?;
        Ok(Some(Setting::new(keys, Origin::Variable(ID))))
    }
}

#[cfg(test)]
impl Settings {
    /// With these variables, without a home.
    pub(crate) fn of(config: &Config, variables: &[(&str, &str)]) -> Result<Self, Error> {
        let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into());
        let environment = Environment { variable: &variable, home: None };
        Self::settle(config, &environment, std::sync::Arc::new(|_, _, _| {}))
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
    fn only_request_response_waits_for_a_function() {
        let settings = Settings::of(&Config::default(), &[]).unwrap();
        assert_eq!(settings.timeout(InvocationType::RequestResponse), Duration::from_secs(910));
        assert_eq!(settings.timeout(InvocationType::Event), Duration::from_secs(60));
        assert_eq!(settings.timeout(InvocationType::DryRun), Duration::from_secs(60));
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
        for shown in [format!("{settings:?}"), crate::core::describe::describe(&settings, false)] {
            assert!(shown.contains("AKID") && shown.contains("proxy:1") && !shown.contains("hunter2"), "{shown}");
        }
    }
}
