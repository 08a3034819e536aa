//! Credentials as every AWS tool finds them: environment, profile, web identity, container, instance metadata, in this
//! order. This file decides which provider is asked next, with which settings, and why there were no credentials.
//!
//! A load makes its providers anew and drops them: they belong to the worker that drives it, and what they could keep
//! between two loads is kept by the credentials cache or in the files that the AWS tools share.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_config::identity::IdentityCache;
use aws_config::provider_config::ProviderConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use zeroize::Zeroizing;

use crate::config::credentials::Credentials;
use crate::config::endpoint::{Endpoint, Variant};
use crate::config::environment::Environment;
use crate::config::lookup::{Lookup, checked};
use crate::config::proxy::Proxies;
use crate::config::setting::{Origin, Setting};
use crate::credentials::container::Container;
use crate::credentials::imds::Imds;
use crate::credentials::observed::Observed;
use crate::credentials::profile_chain::{BaseSource, NoProfileChain, ProfileChain, Role};
use crate::credentials::provider::ProviderError;
use crate::credentials::sdk_http::Http;
use crate::credentials::{login, process, sso, sts};
use crate::error::Error;
use crate::http::transport::Transport;
use crate::large_future::on_heap;
use crate::log::{Log, target};
use crate::platform_api::Platform;
use crate::status::Status;

/// One exchange with STS, SSO or Sign-In.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often the tasks of connections are polled until they have ended: once does it, TLS may take more.
const TURNS_TO_CLOSE: u32 = 4;

/// Where credentials are searched for, resolved once; no provider is asked before a call needs credentials.
pub(crate) struct Chain {
    /// Why the environment's credentials are not used.
    environment: NotUsed,
    /// Those that the environment has all the same, for a profile that names them.
    environment_credentials: Option<Credentials>,
    profile: Result<ProfileChain, NoProfileChain>,
    web_identity: Result<(Role, PathBuf), String>,
    container: Result<Container, String>,
    imds: Result<Imds, String>,
    region: Option<String>,
    variant: Variant,
    /// The user's, with the tokens that the AWS CLI caches.
    home: Option<PathBuf>,
    sts_endpoint: Option<String>,
    /// Only a profile with SSO needs these, so an error in them matters only there.
    portal_endpoint: Result<Option<String>, String>,
    oidc_endpoint: Result<Option<String>, String>,
    /// Where `aws login` caches its tokens.
    login_cache: Option<PathBuf>,
    /// What is wrong with the variables from which AWS's provider of login sessions takes its endpoint.
    bad_login_endpoint: Option<String>,
}

/// Why a provider is not asked, and whether that ends the search.
#[derive(Debug)]
struct NotUsed {
    why: String,
    is_final: bool,
}

/// Why each provider that was tried had no credentials.
#[derive(Default)]
struct SearchTrace(Vec<String>);

impl Chain {
    /// `credentials` are the environment's, if a profile that was set by setter goes before them.
    pub(crate) fn resolve(
        lookup: &Lookup<'_>,
        credentials: Option<Credentials>,
        region: Option<String>,
        variant: Variant,
    ) -> Result<Self, Error> {
        let environment = lookup.environment;
        let optional =
            |variable, service| endpoint(lookup, variable, service).map_err(|error| error.message().to_owned());
        Ok(Self {
            environment: environment_not_used(lookup)?,
            environment_credentials: credentials,
            profile: ProfileChain::of(lookup.profiles, &|path| environment.expand(path)),
            web_identity: match (environment.path("AWS_WEB_IDENTITY_TOKEN_FILE"), environment.get("AWS_ROLE_ARN")?) {
                (Some(file), Some(arn)) => {
                    let session_name = environment.get("AWS_ROLE_SESSION_NAME")?;
                    let (profile, region) = ("the environment".to_owned(), None);
                    Ok((Role { profile, arn, session_name, external_id: None, duration: None, region }, file))
                }
                (Some(_), None) => Err("AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not".to_owned()),
                (None, _) => Err("AWS_WEB_IDENTITY_TOKEN_FILE is not set".to_owned()),
            },
            container: Container::resolve(lookup)?,
            imds: Imds::resolve(lookup)?,
            region,
            variant,
            home: environment.home.clone(),
            sts_endpoint: endpoint(lookup, "AWS_ENDPOINT_URL_STS", "sts")?,
            portal_endpoint: optional("AWS_ENDPOINT_URL_SSO", "sso"),
            oidc_endpoint: optional("AWS_ENDPOINT_URL_SSO_OIDC", "sso_oidc"),
            login_cache: login::cache_directory(environment),
            bad_login_endpoint: bad_login_endpoint(environment),
        })
    }

    /// Returns which provider is asked first, and what decided that; for `describe`.
    pub(crate) fn summary(&self) -> Setting<String> {
        if self.environment.is_final {
            return Setting::new(format!("none ({})", self.environment.why), Origin::Default);
        }
        match (&self.profile, &self.web_identity, &self.container, &self.imds) {
            (Ok(profile), ..) => Setting::new(profile.summary(), profile.origin.clone()),
            (Err(NoProfileChain::Invalid(why)), ..) => Setting::new(format!("none ({why})"), Origin::Default),
            (_, Ok((role, _)), ..) => {
                Setting::new(format!("web identity for {}", role.arn), Origin::Variable("AWS_WEB_IDENTITY_TOKEN_FILE"))
            }
            (_, _, Ok(container), _) => Setting::new("container".to_owned(), Origin::Variable(container.variable)),
            (_, _, _, Ok(imds)) => Setting::new(format!("instance metadata at {}", imds.shown()), Origin::Default),
            (_, _, _, Err(why)) => Setting::new(format!("none ({why})"), Origin::Default),
        }
    }

    /// Asks one provider after the other; also returns what the credentials came from. `now` is the client's time.
    pub(crate) async fn load(
        &self,
        transport: &Transport,
        proxies: &Proxies,
        log: &Log,
        now: SystemTime,
    ) -> Result<(Credentials, String), Error> {
        let providers = Providers::new(self, transport, proxies, log, now)?;
        let lacked_descriptors = || {
            let Providers { http, direct, platform, .. } = &providers;
            http.lacked_descriptors() || direct.lacked_descriptors() || platform.lacked_descriptors()
        };
        let found = self.search(&providers, log).await.map_err(|error| match lacked_descriptors() {
            true => error.for_lack_of_descriptors(),
            false => error,
        });
        let received = [providers.http.take_received(), providers.direct.take_received()];
        // Without their transports the connections close, in their own tasks, and leave the bodies to us alone.
        drop(providers);
        for _ in 0..TURNS_TO_CLOSE {
            tokio::task::yield_now().await;
        }
        drop(received);
        found
    }

    async fn search(&self, providers: &Providers<'_>, log: &Log) -> Result<(Credentials, String), Error> {
        let mut trace = SearchTrace::default();
        trace.note("environment", &self.environment.why, log);
        if self.environment.is_final {
            return Err(trace.end());
        }
        let profile = match &self.profile {
            Ok(profile) => on_heap(|| providers.profile(profile)).await.map(|found| (found, profile.summary())),
            Err(NoProfileChain::NotConfigured(why)) => Err(ProviderError::NotAvailable(why.clone())),
            Err(NoProfileChain::Invalid(why)) => Err(ProviderError::Failed(why.clone())),
        };
        if let Some(found) = trace.found("", profile, log)? {
            return Ok(found);
        }
        let web_identity = match &self.web_identity {
            Ok((role, file)) => on_heap(|| providers.web_identity(role, file))
                .await
                .map(|found| (found, format!("web identity for {}", role.arn))),
            Err(why) => Err(ProviderError::NotAvailable(why.clone())),
        };
        if let Some(found) = trace.found("web identity", web_identity, log)? {
            return Ok(found);
        }
        let container = on_heap(|| providers.container()).await.map(|found| (found, "the container".to_owned()));
        if let Some(found) = trace.found("container", container, log)? {
            return Ok(found);
        }
        let imds = on_heap(|| providers.imds()).await.map(|found| (found, "instance metadata".to_owned()));
        if let Some(found) = trace.found("IMDS", imds, log)? {
            return Ok(found);
        }
        Err(trace.end())
    }
}

/// Without commands and URLs, which may hold secrets.
impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Chain").field(&self.summary().value).finish()
    }
}

impl SearchTrace {
    fn note(&mut self, source: &str, why: &str, log: &Log) {
        let reason = if source.is_empty() { why.to_owned() } else { format!("{source}: {why}") };
        log.debug(target::CREDENTIALS, || format!("no credentials from {reason}"));
        self.0.push(reason);
    }

    /// Returns what was found, or nothing if the search goes on. `source` is empty where the reason names it.
    fn found<T>(&mut self, source: &str, answer: Result<T, ProviderError>, log: &Log) -> Result<Option<T>, Error> {
        match answer {
            Ok(found) => Ok(Some(found)),
            Err(ProviderError::NotAvailable(why)) => {
                self.note(source, &why, log);
                Ok(None)
            }
            Err(ProviderError::Failed(why)) => {
                self.note(source, &why, log);
                Err(std::mem::take(self).end())
            }
        }
    }

    fn end(self) -> Error {
        let message = format!(
            "no credentials: {}. Correct the source that you meant, or set credentials for the client, in the environment, \
             or in a profile",
            self.0.join("; ")
        );
        Error::new(Status::Credentials, message)
    }
}

fn environment_not_used(lookup: &Lookup<'_>) -> Result<NotUsed, Error> {
    let is_set = |name| {
        let value = lookup.environment.get(name).map(|value| value.map(Zeroizing::new));
        value.map(|value| value.is_some_and(|value| !value.trim().is_empty()))
    };
    let is_profile_set = matches!(lookup.profiles.name.origin, Origin::Setter(_));
    let (id, secret) = (is_set("AWS_ACCESS_KEY_ID")?, is_set("AWS_SECRET_ACCESS_KEY")?);
    let (why, is_final) = match (id, secret) {
        (true, true) => ("not used, since a profile was set for the client", false),
        // Whoever sets one means to use both, and not somebody else's.
        (true, false) => ("AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not", !is_profile_set),
        (false, true) => ("AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not", false),
        (false, false) => ("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set", false),
    };
    Ok(NotUsed { why: why.to_owned(), is_final })
}

/// A service's custom endpoint, if it has one.
fn endpoint(lookup: &Lookup<'_>, variable: &'static str, service: &str) -> Result<Option<String>, Error> {
    let Some(url) = lookup.endpoint_url(variable, service)? else { return Ok(None) };
    checked(url, |field, url| Endpoint::custom(field, &url).map(|_| Some(url))).map(|url| url.value)
}

/// AWS's provider of login sessions reads these variables itself, takes an empty one for set, and panics.
fn bad_login_endpoint(environment: &Environment<'_>) -> Option<String> {
    ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SIGNIN"].into_iter().find_map(|name| {
        environment.set_but_empty(&[name]).or_else(|| {
            let url = environment.get(name).ok()??;
            Endpoint::custom(name, &url).err().map(|error| error.message().to_owned())
        })
    })
}

/// The providers, ready for one load.
struct Providers<'a> {
    chain: &'a Chain,
    platform: Observed,
    /// For STS and SSO: through the proxy, as calls are.
    http: Http,
    /// For what is on this machine or beside it.
    direct: Http,
    log: &'a Log,
    now: SystemTime,
}

impl<'a> Providers<'a> {
    fn new(
        chain: &'a Chain,
        transport: &Transport,
        proxies: &Proxies,
        log: &'a Log,
        now: SystemTime,
    ) -> Result<Self, Error> {
        let http = Http::new(transport.sibling(proxies)?, log);
        let direct = Http::new(transport.sibling(&Proxies::none())?, log);
        let platform = Observed::new(Arc::clone(transport.platform()));
        Ok(Self { chain, platform, http, direct, log, now })
    }

    /// Follows the selected profile to its end. Where it names a source of credentials, the search ends.
    async fn profile(&self, profile: &ProfileChain) -> Result<Credentials, ProviderError> {
        let of_profile = |error: ProviderError| error.into_failed().about(&profile.summary());
        let mut credentials = self.base(&profile.base).await.map_err(of_profile)?;
        for role in &profile.roles {
            let config = self.sdk_config(self.region_of(role).map_err(of_profile)?);
            credentials = on_heap(|| sts::assume_role(role, credentials, &config, &self.http))
                .await
                .map_err(|why| of_profile(ProviderError::Failed(why)))?;
        }
        Ok(credentials)
    }

    async fn base(&self, base: &BaseSource) -> Result<Credentials, ProviderError> {
        let found = match base {
            BaseSource::Static(credentials) => Ok(credentials.clone()),
            BaseSource::Environment => self
                .chain
                .environment_credentials
                .clone()
                .ok_or_else(|| format!("environment: {}", self.chain.environment.why)),
            BaseSource::Container => return on_heap(|| self.container()).await,
            BaseSource::InstanceMetadata => return on_heap(|| self.imds()).await,
            BaseSource::WebIdentity { role, token_file } => {
                return on_heap(|| self.web_identity(role, token_file)).await;
            }
            BaseSource::Sso(sso) => on_heap(|| self.sso(sso)).await,
            BaseSource::Login { session } => match &self.chain.bad_login_endpoint {
                Some(why) => Err(why.clone()),
                None => {
                    let directory = self.chain.login_cache.as_deref();
                    on_heap(|| login::load(session, directory, self.login_config(), &self.http, &self.platform)).await
                }
            },
            BaseSource::Process { command } => {
                let ended = self.platform.run(command).await.map_err(|error| error.message);
                ended.and_then(|ended| process::credentials(&ended))
            }
        };
        found.map_err(ProviderError::Failed)
    }

    async fn sso(&self, sso: &sso::Sso) -> Result<Credentials, String> {
        let clients = sso::Clients {
            config: &self.sdk_config(sso.region.clone()),
            portal_endpoint: self.chain.portal_endpoint.clone()?,
            oidc_endpoint: self.chain.oidc_endpoint.clone()?,
            http: &self.http,
            platform: &self.platform,
            log: self.log,
        };
        sso.load(self.chain.home.as_deref(), &clients).await
    }

    async fn web_identity(&self, role: &Role, token_file: &std::path::Path) -> Result<Credentials, ProviderError> {
        let config = self.sdk_config(self.region_of(role)?);
        sts::web_identity(role, token_file, &config, &self.http, &self.platform).await.map_err(ProviderError::Failed)
    }

    async fn container(&self) -> Result<Credentials, ProviderError> {
        let container = self.chain.container.as_ref().map_err(|why| ProviderError::NotAvailable(why.clone()))?;
        container.load(&self.direct, &self.platform).await
    }

    async fn imds(&self) -> Result<Credentials, ProviderError> {
        let imds = self.chain.imds.as_ref().map_err(|why| ProviderError::NotAvailable(why.clone()))?;
        imds.load(&self.direct, self.now, self.log).await
    }

    fn region_of(&self, role: &Role) -> Result<String, ProviderError> {
        self.chain.region.clone().or_else(|| role.region.clone()).ok_or_else(|| {
            ProviderError::Failed(format!(
                "assuming {} needs a region: set it for the client, in AWS_REGION, or in profile {}",
                role.arn, role.profile
            ))
        })
    }

    /// The settings of AWS's clients. Only those of STS use the endpoint.
    fn sdk_config(&self, region: String) -> SdkConfig {
        let mut builder = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region))
            .http_client(self.http.clone())
            .identity_cache(IdentityCache::no_cache())
            .sleep_impl(TokioSleep::new())
            .time_source(SystemTimeSource::new())
            .retry_config(RetryConfig::standard())
            .timeout_config(timeouts())
            .use_fips(self.chain.variant.fips)
            .use_dual_stack(self.chain.variant.dual_stack);
        builder.set_endpoint_url(self.chain.sts_endpoint.clone());
        builder.build()
    }

    fn login_config(&self) -> ProviderConfig {
        ProviderConfig::empty()
            .with_behavior_version(Some(BehaviorVersion::latest()))
            .with_region(self.chain.region.clone().map(Region::new))
            .with_http_client(self.http.clone())
            .with_sleep_impl(TokioSleep::new())
            .with_time_source(SystemTimeSource::new())
            .with_retry_config(RetryConfig::standard())
            .with_timeout_config(timeouts())
            .with_use_fips(Some(self.chain.variant.fips))
            .with_use_dual_stack(Some(self.chain.variant.dual_stack))
    }
}

fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder().operation_attempt_timeout(ATTEMPT_TIMEOUT).build()
}
