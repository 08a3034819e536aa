//! The settings of a client, each from the first place where it is set: setters, the environment, the profile, the
//! defaults.

use std::borrow::Cow;
use std::time::Duration;

use crate::config::config::{Config, RetryMode, default};
use crate::config::endpoint::{self, Endpoint, Variant};
use crate::config::logging::Logging;
use crate::config::lookup::Lookup;
use crate::config::proxy::Proxies;
use crate::config::setting::{Origin, Setting};
use crate::config::tls::Trust;
use crate::config::{region, retry, user_agent};
use crate::error::Error;
use crate::log::{Log, Sink};

/// Resolved once, when a client is made.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Without one, only calls by full ARN can be made.
    pub(crate) region: Option<Setting<String>>,
    /// A custom endpoint; else each call's region has its own.
    pub(crate) endpoint: Option<Setting<Endpoint>>,
    /// The endpoint of `region`, unless there is a custom one.
    regional_endpoint: Option<Endpoint>,
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
    pub(crate) max_connections: Setting<u32>,
    pub(crate) max_response_bytes: Setting<u64>,
    pub(crate) profile: Setting<String>,
    /// The shared files, with where their paths came from.
    pub(crate) files: [(&'static str, Setting<String>); 2],
    pub(crate) log: Log,
    pub(crate) logging: Logging,
    /// What does not stop a client, but may not be what was meant.
    pub(crate) warnings: Vec<String>,
}

/// What the platform contributes.
pub(crate) struct Surroundings {
    /// Receives the events that LAMBDA_INVOKE_LOG asks for.
    pub(crate) stderr: Sink,
    /// Makes a sink of the caller's fit to be called from anywhere.
    pub(crate) callers_sink: fn(Sink) -> Sink,
    /// The calls at once that the process's limits allow.
    pub(crate) max_connections: u32,
}

impl Settings {
    /// Resolves every setting.
    pub(crate) fn resolve(config: &Config, lookup: &Lookup<'_>, surroundings: Surroundings) -> Result<Self, Error> {
        let Surroundings { stderr, callers_sink, max_connections } = surroundings;
        let logging = Logging::resolve(config, lookup.environment, stderr, callers_sink);
        let profiles = lookup.profiles;
        let (region, use_fips) = region_and_fips(config, lookup)?;
        let (variable, property) = ("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint");
        let use_dual_stack = lookup.flag("use_dual_stack", config.use_dual_stack, variable, property)?;
        let app_id = user_agent::resolve_app_id(config, lookup)?;
        let endpoint = endpoint::resolve(config, lookup, &use_fips, &use_dual_stack)?;
        let variant = Variant { fips: use_fips.value, dual_stack: use_dual_stack.value };
        let regional_endpoint = match (&endpoint, &region) {
            (None, Some(region)) => Some(Endpoint::of_region(&region.value, variant)?),
            _ => None,
        };
        Ok(Self {
            region,
            endpoint,
            regional_endpoint,
            use_fips,
            use_dual_stack,
            trust: Trust::resolve(config.ca_bundle.as_deref(), lookup.environment, profiles)?,
            proxies: Proxies::resolve(config.proxy.as_deref(), lookup.environment)?,
            user_agent: user_agent::user_agent(app_id.as_ref().map(|id| id.value.as_str())),
            app_id,
            connect_timeout: Setting::of_setter_unless_zero("connect_timeout", config.connect_timeout)
                .unwrap_or(Setting::default(default::CONNECT_TIMEOUT)),
            timeout: Setting::of_setter_unless_zero("timeout", config.timeout),
            max_attempts: retry::resolve_max_attempts(config, lookup)?,
            retry: retry::resolve_mode(config, lookup)?,
            max_connections: Setting::of_setter_unless_zero("max_connections", config.max_connections)
                .unwrap_or(Setting::new(max_connections, Origin::System)),
            max_response_bytes: Setting::of_setter_unless_zero("max_response_bytes", config.max_response_bytes)
                .unwrap_or(Setting::default(default::MAX_RESPONSE_BYTES)),
            files: [("config_file", &profiles.config), ("credentials_file", &profiles.credentials)]
                .map(|(name, file)| (name, Setting::new(file.place(), file.path.origin.clone()))),
            profile: profiles.name.clone(),
            warnings: logging.ignored.clone().into_iter().chain(profiles.warnings()).collect(),
            log: logging.log.clone(),
            logging,
        })
    }

    /// Returns the timeout of a call that sets none of its own. `waits`: the response comes only when the function has run.
    pub(crate) fn timeout(&self, waits: bool) -> Duration {
        match (&self.timeout, waits) {
            (Some(timeout), _) => timeout.value,
            (None, true) => default::TIMEOUT,
            (None, false) => default::TIMEOUT_WITHOUT_WAIT,
        }
    }

    /// Returns the endpoint of calls to a region.
    pub(crate) fn endpoint_of(&self, region: &str) -> Result<Cow<'_, Endpoint>, Error> {
        match (&self.endpoint, &self.regional_endpoint, &self.region) {
            (Some(custom), ..) => Ok(Cow::Borrowed(&custom.value)),
            (None, Some(own), Some(of)) if of.value == region => Ok(Cow::Borrowed(own)),
            _ => Endpoint::of_region(region, self.variant()).map(Cow::Owned),
        }
    }

    pub(crate) fn variant(&self) -> Variant {
        Variant { fips: self.use_fips.value, dual_stack: self.use_dual_stack.value }
    }

    /// Returns whether a connection to Lambda may need TLS.
    pub(crate) fn speaks_tls(&self) -> bool {
        self.endpoint.as_ref().is_none_or(|endpoint| endpoint.value.is_https())
            || self.proxies.http.value.as_ref().is_some_and(|proxy| proxy.url.scheme() == "https")
    }
}

/// A region whose name asks for FIPS decides; nobody who writes `fips-us-east-1` means another endpoint.
fn region_and_fips(config: &Config, lookup: &Lookup<'_>) -> Result<(Option<Setting<String>>, Setting<bool>), Error> {
    let region = region::resolve(config, lookup)?;
    let use_fips = match &region {
        Some(region) if region.asks_for_fips => Setting::new(true, region.region.origin.clone()),
        _ => lookup.flag("use_fips", config.use_fips, "AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")?,
    };
    Ok((region.map(|region| region.region), use_fips))
}

#[cfg(test)]
impl Settings {
    /// Resolves with these variables, without a home.
    pub(crate) fn of(config: &Config, variables: &[(&str, &str)]) -> Result<Self, Error> {
        let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into());
        let environment = crate::config::environment::Environment {
            variable: &variable,
            home: None,
            home_of: &|_| None,
            out_of_descriptors: |_| None,
        };
        let profiles = crate::config::profile::Profiles::read(config.profile.as_deref(), &environment)?;
        let lookup = Lookup { environment: &environment, profiles: &profiles };
        let stderr: Sink = std::sync::Arc::new(|_, _, _| {});
        Self::resolve(config, &lookup, Surroundings { stderr, callers_sink: |sink| sink, max_connections: 128 })
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
            ("HTTPS_PROXY", "ftp://proxy"),
        ] {
            let error = Settings::of(&Config::default(), &[(name, value)]).unwrap_err();
            assert!(error.message().starts_with(&format!("{name}: ")), "{error}");
            assert_eq!(error.status(), crate::Status::Config, "{error}");
        }
    }

    #[test]
    fn a_bad_level_of_the_log_stops_nobody() {
        let settings = Settings::of(&Config::default(), &[("LAMBDA_INVOKE_LOG", "loud")]).unwrap();
        assert!(settings.warnings[0].starts_with("LAMBDA_INVOKE_LOG is ignored: \"loud\""), "{:?}", settings.warnings);
        let shown = crate::config::describe::describe(&settings, &Setting::default("x".to_owned()), false);
        assert!(shown.contains(r#""log":{"source":"default; LAMBDA_INVOKE_LOG is ignored: \"loud\""#), "{shown}");
    }

    #[test]
    fn a_pseudo_region_asks_for_fips() {
        for name in ["fips-us-east-1", "us-east-1-fips"] {
            let config = Config { use_fips: Some(false), ..Config::default() };
            let settings = Settings::of(&config, &[("AWS_REGION", name)]).unwrap();
            assert_eq!(region(&settings), Some("us-east-1"));
            assert_eq!(settings.endpoint_of("us-east-1").unwrap().host, "lambda-fips.us-east-1.amazonaws.com");
            let error = Settings::of(&config, &[("AWS_REGION", name), ("AWS_ENDPOINT_URL", "http://h")]).unwrap_err();
            assert!(error.message().contains("AWS_REGION") && error.message().contains("AWS_ENDPOINT_URL"), "{error}");
        }
        assert!(Settings::of(&Config::default(), &[("AWS_REGION", "fips--fips")]).is_err());
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
