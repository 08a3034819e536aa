//! Keys as every AWS tool finds them: environment, profile, web identity, container, instance metadata, in this order.
//! AWS's own providers ask; this file says in which order, with which settings, and why there were none.
//!
//! A load builds its providers anew and drops them: they belong to the worker that drives it, and what they could keep
//! between two loads is kept by the credentials_cache or in the files that the AWS tools share.

use std::error::Error as StdError;
use std::fmt;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::login::LoginCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sso::SsoCredentialsProvider;
use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_types::error::metadata::ErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use zeroize::Zeroizing;

use crate::config::credentials::{self, Credentials};
use crate::config::endpoint::{self, Endpoint, Variant};
use crate::config::environment::Environment;
use crate::config::lookup::{Lookup, checked};
use crate::config::proxy::Proxies;
use crate::config::setting::{Origin, Setting};
use crate::config::shown_url::shown;
use crate::credentials::process;
use crate::credentials::profile_chain::{BaseSource, NoProfileChain, ProfileChain, Role};
use crate::credentials::sdk_http::Http;
use crate::error::Error;
use crate::http::transport::Transport;
use crate::log::{Log, target};
use crate::platform_api::Platform;
use crate::status::Status;

/// How long to wait for any answer of instance metadata: on a machine that is no instance nobody answers there.
const IMDS_SILENCE: Duration = Duration::from_secs(2);
/// And how long for all of them, once it has answered.
const IMDS_TIMEOUT: Duration = Duration::from_secs(10);
/// One exchange with STS or SSO.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(10);
/// Where instance metadata is, unless set otherwise. Source: the EC2 User Guide.
const IMDS_ENDPOINT: &str = "http://169.254.169.254";
const IMDS_ENDPOINT_IPV6: &str = "http://[fd00:ec2::254]";

/// Where keys are looked for, resolved once; nothing is asked before a call needs them.
pub(crate) struct Chain {
    /// Why the environment's are not taken.
    environment: NotThere,
    /// Those that the environment has all the same, for a profile that says so.
    environment_keys: Option<Credentials>,
    profile: Result<ProfileChain, NoProfileChain>,
    web_identity: Result<(Role, PathBuf), String>,
    container: Result<Container, String>,
    imds: Result<Imds, String>,
    region: Option<String>,
    variant: Variant,
    sts_endpoint: Option<String>,
    /// What is wrong with the variables from which AWS's clients of SSO and Sign-In take their endpoints.
    bad_endpoint: Option<String>,
}

/// Why a source was not even asked, and whether that ends the search.
#[derive(Debug)]
struct NotThere {
    why: String,
    is_final: bool,
}

#[derive(Debug)]
struct Container {
    /// Which says where to ask.
    variable: &'static str,
    token_file: Option<PathBuf>,
    /// What is wrong with what is set.
    broken: Option<String>,
}

#[derive(Debug)]
struct Imds {
    endpoint: String,
}

/// Why a source gave no keys.
enum ProviderError {
    /// It has none to give: the next one is asked.
    NotAvailable(String),
    /// It was meant to give some and could not: the search ends.
    Failed(String),
}

/// What was found out about each source that was asked.
#[derive(Default)]
struct SearchTrace(Vec<String>);

impl Chain {
    /// `keys` are the environment's, if a profile that was set by setter goes before them.
    pub(crate) fn resolve(
        lookup: &Lookup<'_>,
        keys: Option<Credentials>,
        region: Option<String>,
        variant: Variant,
    ) -> Result<Self, Error> {
        let environment = lookup.environment;
        Ok(Self {
            environment: environment_has_none(lookup)?,
            environment_keys: keys,
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
            container: container(lookup)?,
            imds: imds(lookup)?,
            region,
            variant,
            sts_endpoint: sts_endpoint(lookup)?,
            bad_endpoint: bad_endpoint(environment),
        })
    }

    /// What will be asked first, and who says so; for `describe`.
    pub(crate) fn summary(&self) -> Setting<String> {
        if self.environment.is_final {
            return Setting::new(format!("none ({})", self.environment.why), Origin::Default);
        }
        match (&self.profile, &self.web_identity, &self.container, &self.imds) {
            (Ok(plan), ..) => Setting::new(plan.summary(), plan.origin.clone()),
            (Err(NoProfileChain::Invalid(why)), ..) => Setting::new(format!("none ({why})"), Origin::Default),
            (_, Ok((role, _)), ..) => {
                Setting::new(format!("web identity for {}", role.arn), Origin::Variable("AWS_WEB_IDENTITY_TOKEN_FILE"))
            }
            (_, _, Ok(container), _) => Setting::new("container".to_owned(), Origin::Variable(container.variable)),
            (_, _, _, Ok(imds)) => {
                Setting::new(format!("instance metadata at {}", shown(&imds.endpoint)), Origin::Default)
            }
            (_, _, _, Err(why)) => Setting::new(format!("none ({why})"), Origin::Default),
        }
    }

    /// Asks one source after the other; also gives what the keys came from.
    pub(crate) async fn load(
        &self,
        transport: &Transport,
        proxies: &Proxies,
        log: &Log,
    ) -> Result<(Credentials, String), Error> {
        let tools = Providers::new(self, transport, proxies, log)?;
        let mut reasons = SearchTrace::default();
        reasons.note("environment", &self.environment.why, log);
        if self.environment.is_final {
            return Err(reasons.end());
        }
        let profile = match &self.profile {
            Ok(plan) => tools.follow(plan).await.map(|keys| (keys, plan.summary())),
            Err(NoProfileChain::NotConfigured(why)) => Err(ProviderError::NotAvailable(why.clone())),
            Err(NoProfileChain::Invalid(why)) => Err(ProviderError::Failed(why.clone())),
        };
        if let Some(found) = reasons.sort("", profile, log)? {
            return Ok(found);
        }
        let web_identity = match &self.web_identity {
            Ok((role, file)) => {
                tools.web_identity(role, file).await.map(|keys| (keys, format!("web identity for {}", role.arn)))
            }
            Err(why) => Err(ProviderError::NotAvailable(why.clone())),
        };
        if let Some(found) = reasons.sort("web identity", web_identity, log)? {
            return Ok(found);
        }
        let container = match &self.container {
            Ok(_) => tools.container().await.map(|keys| (keys, "the container".to_owned())),
            Err(why) => Err(ProviderError::NotAvailable(why.clone())),
        };
        if let Some(found) = reasons.sort("container", container, log)? {
            return Ok(found);
        }
        let imds = tools.imds().await.map(|keys| (keys, "instance metadata".to_owned()));
        if let Some(found) = reasons.sort("IMDS", imds, log)? {
            return Ok(found);
        }
        Err(reasons.end())
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

    /// The keys, or nothing if the search goes on. `source` is empty where the reason names it.
    fn sort<T>(&mut self, source: &str, answer: Result<T, ProviderError>, log: &Log) -> Result<Option<T>, Error> {
        match answer {
            Ok(keys) => Ok(Some(keys)),
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
            "no credentials: {}. Mend the source that was meant to give them, or set credentials for the client, in the \
             environment, or in a profile",
            self.0.join("; ")
        );
        Error::new(Status::Credentials, message)
    }
}

fn environment_has_none(lookup: &Lookup<'_>) -> Result<NotThere, Error> {
    let is_set = |name| {
        let value = lookup.environment.get(name).map(|value| value.map(Zeroizing::new));
        value.map(|value| value.is_some_and(|value| !value.trim().is_empty()))
    };
    let is_profile_set = matches!(lookup.profiles.name.origin, Origin::Setter(_));
    let (id, secret) = (is_set("AWS_ACCESS_KEY_ID")?, is_set("AWS_SECRET_ACCESS_KEY")?);
    let (why, is_final) = match (id, secret) {
        (true, true) => ("not asked, since a profile was set for the client", false),
        // Whoever sets one means to use both, and not the keys of somebody else.
        (true, false) => ("AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not", !is_profile_set),
        (false, true) => ("AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not", false),
        (false, false) => ("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set", false),
    };
    Ok(NotThere { why: why.to_owned(), is_final })
}

fn container(lookup: &Lookup<'_>) -> Result<Result<Container, String>, Error> {
    const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
    const URIS: [&str; 2] = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
    for variable in URIS {
        if lookup.environment.get(variable)?.is_some() {
            let token_file = lookup.environment.path(TOKEN_FILE);
            // AWS's provider reads them again, and takes an empty one for set.
            let broken = lookup.environment.set_but_empty(&[URIS[0], TOKEN_FILE]).or_else(|| {
                match (variable == URIS[1], lookup.environment.get(URIS[1])) {
                    (true, Ok(Some(uri))) => {
                        endpoint::check(URIS[1], &uri).err().map(|error| error.message().to_owned())
                    }
                    _ => None,
                }
            });
            return Ok(Ok(Container { variable, token_file, broken }));
        }
    }
    Ok(Err(format!("neither {} nor {} is set", URIS[0], URIS[1])))
}

/// STS's endpoint, if it is a custom one.
fn sts_endpoint(lookup: &Lookup<'_>) -> Result<Option<String>, Error> {
    let Some(url) = lookup.endpoint_url("AWS_ENDPOINT_URL_STS", "sts")? else { return Ok(None) };
    checked(url, |field, url| Endpoint::custom(field, &url).map(|_| Some(url))).map(|url| url.value)
}

/// AWS's clients would take an empty variable for set, and panic.
fn bad_endpoint(environment: &Environment<'_>) -> Option<String> {
    let names = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SSO", "AWS_ENDPOINT_URL_SSO_OIDC", "AWS_ENDPOINT_URL_SIGNIN"];
    names.into_iter().find_map(|name| {
        environment.set_but_empty(&[name]).or_else(|| {
            let url = environment.get(name).ok()??;
            Endpoint::custom(name, &url).err().map(|error| error.message().to_owned())
        })
    })
}

fn imds(lookup: &Lookup<'_>) -> Result<Result<Imds, String>, Error> {
    let environment = lookup.environment;
    if environment.get("AWS_EC2_METADATA_DISABLED")?.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return Ok(Err("AWS_EC2_METADATA_DISABLED is true".to_owned()));
    }
    let either = |variable, key| -> Result<Option<String>, Error> {
        Ok(environment.get(variable)?.or_else(|| lookup.profiles.selected(key).map(|found| found.value)))
    };
    let endpoint = match either("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint")? {
        // AWS's client would repeat it in its message.
        Some(endpoint) if !url::Url::parse(&endpoint).is_ok_and(|url| url.has_host()) => {
            return Ok(Err("ec2_metadata_service_endpoint is not a valid URL".to_owned()));
        }
        Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
        None => {
            let mode = either("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode")?;
            match mode.map(|mode| mode.to_ascii_lowercase()).as_deref() {
                None | Some("ipv4") => IMDS_ENDPOINT.to_owned(),
                Some("ipv6") => IMDS_ENDPOINT_IPV6.to_owned(),
                Some(_) => return Ok(Err("ec2_metadata_service_endpoint_mode is neither IPv4 nor IPv6".to_owned())),
            }
        }
    };
    Ok(Ok(Imds { endpoint }))
}

/// AWS's providers, made ready for one load.
struct Providers<'a> {
    chain: &'a Chain,
    transport: &'a Transport,
    /// For STS and SSO: through the proxy, as calls are.
    http: Http,
    /// For what is on this machine or beside it.
    direct: Http,
}

impl<'a> Providers<'a> {
    fn new(chain: &'a Chain, transport: &'a Transport, proxies: &Proxies, log: &Log) -> Result<Self, Error> {
        let http = Http::new(transport.sibling(proxies)?, log);
        let direct = Http::new(transport.sibling(&Proxies::none())?, log);
        Ok(Self { chain, transport, http, direct })
    }

    async fn follow(&self, plan: &ProfileChain) -> Result<Credentials, ProviderError> {
        let of_profile = |refusal| match refusal {
            // Where a profile says that keys are there, the search ends.
            ProviderError::NotAvailable(why) | ProviderError::Failed(why) => {
                ProviderError::Failed(format!("{}: {why}", plan.summary()))
            }
        };
        let mut keys = match &plan.base {
            BaseSource::Keys(keys) => Ok(keys.clone()),
            BaseSource::Environment => self
                .chain
                .environment_keys
                .clone()
                .ok_or_else(|| ProviderError::Failed(format!("environment: {}", self.chain.environment.why))),
            BaseSource::Container => self.container().await,
            BaseSource::InstanceMetadata => self.imds().await,
            BaseSource::WebIdentity { role, token_file } => self.web_identity(role, token_file).await,
            BaseSource::Sso { .. } | BaseSource::Login { .. } if self.chain.bad_endpoint.is_some() => {
                Err(ProviderError::Failed(self.chain.bad_endpoint.clone().unwrap_or_default()))
            }
            BaseSource::Sso { session, start_url, region, account_id, role_name } => {
                let mut builder = SsoCredentialsProvider::builder()
                    .configure(&self.provider_config(&self.http, Some(region.clone())))
                    .account_id(account_id)
                    .role_name(role_name)
                    .start_url(start_url)
                    .region(Region::new(region.clone()));
                builder.set_session_name(session.clone());
                given(builder.build().provide_credentials().await, &self.http)
                    .map_err(|refusal| self.with_hint(refusal, "aws sso login"))
            }
            BaseSource::Login { session } => {
                let config = self.provider_config(&self.http, self.chain.region.clone());
                let provider = LoginCredentialsProvider::builder(session).configure(&config).build();
                given(provider.provide_credentials().await, &self.http)
                    .map_err(|refusal| self.with_hint(refusal, "aws login"))
            }
            BaseSource::Process { command } => self.process(command).await,
        }
        .map_err(of_profile)?;
        for role in &plan.roles {
            keys = self.assume(role, keys).await.map_err(of_profile)?;
        }
        Ok(keys)
    }

    /// Says who makes a new session, unless the service is not well.
    fn with_hint(&self, refusal: ProviderError, command: &str) -> ProviderError {
        match self.http.last_error() {
            Some(answer) if answer.status >= 500 => refusal,
            None if self.http.was_asked() => refusal,
            _ => refusal.map(|why| format!("{why} (run {command})")),
        }
    }

    async fn assume(&self, role: &Role, keys: Credentials) -> Result<Credentials, ProviderError> {
        let signer = keys.identity();
        let config = self.sdk_config(self.region_of(role)?);
        let mut builder = AssumeRoleProvider::builder(&role.arn)
            .configure(&config)
            .session_name(role.session_name.clone().unwrap_or_else(session_name));
        if let Some(id) = &role.external_id {
            builder = builder.external_id(id);
        }
        if let Some(duration) = role.duration {
            builder = builder.session_length(duration);
        }
        let provider = builder.build_from_provider(SharedCredentialsProvider::new(keys.0)).await;
        given(provider.provide_credentials().await, &self.http)
            .map_err(|refusal| refusal.redacted(&signer).about(&format!("assuming {}", role.arn)))
    }

    async fn web_identity(&self, role: &Role, token_file: &PathBuf) -> Result<Credentials, ProviderError> {
        let token = std::fs::read_to_string(token_file);
        let token = token.map_err(|error| ProviderError::Failed(format!("{}: {error}", token_file.display())))?;
        let token = Zeroizing::new(token);
        if token.trim().is_empty() {
            return Err(ProviderError::Failed(format!("{}: is empty", token_file.display())));
        }
        let config = self.sdk_config(self.region_of(role)?);
        let name = role.session_name.clone().unwrap_or_else(session_name);
        let answer = aws_sdk_sts::Client::new(&config)
            .assume_role_with_web_identity()
            .role_arn(&role.arn)
            .role_session_name(name)
            .set_duration_seconds(role.duration.and_then(|duration| i32::try_from(duration.as_secs()).ok()))
            .web_identity_token(token.trim())
            .send()
            .await;
        let about = format!("assuming {} with the token in {}", role.arn, token_file.display());
        let failed =
            |why: String| ProviderError::Failed(format!("{about}: {}", why.replace(token.trim(), "(redacted)")));
        let keys = answer.map_err(|error| failed(with_exchange(explain(&error), &self.http)))?.credentials;
        let keys = keys.ok_or_else(|| failed("the answer holds no credentials".to_owned()))?;
        let expires = keys.expiration.try_into().ok();
        Credentials::new(&keys.access_key_id, &keys.secret_access_key, Some(&keys.session_token), expires)
            .map_err(|error| failed(error.message().to_owned()))
    }

    async fn container(&self) -> Result<Credentials, ProviderError> {
        let container = self.chain.container.as_ref().map_err(|why| ProviderError::NotAvailable(why.clone()))?;
        if let Some(why) = &container.broken {
            return Err(ProviderError::Failed(why.clone()));
        }
        if let Some(file) = &container.token_file {
            // The provider would not say which file it could not read.
            std::fs::File::open(file).map_err(|error| ProviderError::Failed(format!("{}: {error}", file.display())))?;
        }
        let provider = EcsCredentialsProvider::builder()
            .configure(&self.provider_config(&self.direct, None))
            .dns(DnsResolver(Arc::clone(self.transport.platform())))
            .build();
        given(provider.provide_credentials().await, &self.direct)
    }

    async fn imds(&self) -> Result<Credentials, ProviderError> {
        let imds = self.chain.imds.as_ref().map_err(|why| ProviderError::NotAvailable(why.clone()))?;
        let at = |refusal: ProviderError| refusal.about(&format!("at {}", shown(&imds.endpoint)));
        let config = self.provider_config(&self.direct, None);
        let client = imds::Client::builder()
            .configure(&config)
            .endpoint(&imds.endpoint)
            .map_err(|error| at(ProviderError::Failed(format!("no endpoint: {error}"))))?
            .operation_timeout(IMDS_TIMEOUT)
            .build();
        let provider = ImdsCredentialsProvider::builder().configure(&config).imds_client(client).build();
        let mut answer = pin!(provider.provide_credentials());
        let mut limit = IMDS_SILENCE;
        let mut answered = tokio::time::timeout(limit, answer.as_mut()).await;
        if answered.is_err() && self.direct.was_answered() {
            // It is there, and busy.
            limit = IMDS_TIMEOUT;
            answered = tokio::time::timeout(limit - IMDS_SILENCE, answer).await;
        }
        match answered {
            Ok(answer) => given(answer, &self.direct).map_err(at),
            Err(_) => {
                let why = format!(
                    "no {} in {} s",
                    if limit == IMDS_SILENCE { "answer" } else { "credentials" },
                    limit.as_secs()
                );
                Err(at(ProviderError::NotAvailable(with_exchange(Some(why), &self.direct))))
            }
        }
    }

    async fn process(&self, command: &str) -> Result<Credentials, ProviderError> {
        let ended = self.transport.platform().run(command).await.map_err(ProviderError::Failed)?;
        process::credentials(&ended).map_err(ProviderError::Failed)
    }

    fn region_of(&self, role: &Role) -> Result<String, ProviderError> {
        self.chain.region.clone().or_else(|| role.region.clone()).ok_or_else(|| {
            ProviderError::Failed(format!(
                "assuming {} needs a region: set it for the client, in AWS_REGION, or in profile {}",
                role.arn, role.profile
            ))
        })
    }

    /// For clients of STS.
    fn sdk_config(&self, region: String) -> SdkConfig {
        let mut builder = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(region))
            .http_client(self.http.clone())
            .sleep_impl(TokioSleep::new())
            .time_source(SystemTimeSource::new())
            .retry_config(RetryConfig::standard())
            .timeout_config(timeouts())
            .use_fips(self.chain.variant.fips)
            .use_dual_stack(self.chain.variant.dual_stack);
        builder.set_endpoint_url(self.chain.sts_endpoint.clone());
        builder.build()
    }

    fn provider_config(&self, http: &Http, region: Option<String>) -> ProviderConfig {
        ProviderConfig::empty()
            .with_behavior_version(Some(BehaviorVersion::latest()))
            .with_region(region.map(Region::new))
            .with_http_client(http.clone())
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

/// Names a session that nobody named.
fn session_name() -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("lambda_invoke-{}", now.as_millis())
}

impl ProviderError {
    fn map(self, change: impl FnOnce(String) -> String) -> Self {
        match self {
            Self::NotAvailable(why) => Self::NotAvailable(change(why)),
            Self::Failed(why) => Self::Failed(change(why)),
        }
    }

    fn about(self, what: &str) -> Self {
        self.map(|why| format!("{what}: {why}"))
    }

    fn redacted(self, identity: &Identity) -> Self {
        self.map(|why| credentials::redact_text(identity, why))
    }
}

/// Sorts the answer of one of AWS's providers, which asked through `http`.
fn given(answer: aws_credential_types::provider::Result, http: &Http) -> Result<Credentials, ProviderError> {
    let keys = answer.map_err(|error| {
        let why = with_exchange(explain(&error), http);
        match &error {
            CredentialsError::CredentialsNotLoaded(_) => ProviderError::NotAvailable(why),
            _ => ProviderError::Failed(why),
        }
    })?;
    Credentials::new(keys.access_key_id(), keys.secret_access_key(), keys.session_token(), keys.expiry())
        .map_err(|error| ProviderError::Failed(error.message().to_owned()))
}

/// Says which answer it was that an error is about, and what stood there if the error does not.
fn with_exchange(why: Option<String>, http: &Http) -> String {
    match (why, http.last_error()) {
        (Some(why), Some(answer)) => format!("{why} ({})", answer.exchange),
        (Some(why), None) => why,
        (None, Some(answer)) => match answer.said {
            Some(said) => format!("{said} ({})", answer.exchange),
            None => answer.exchange,
        },
        (None, None) => "it does not say why".to_owned(),
    }
}

/// What went wrong, from the causes of an error of AWS's crates. The outer ones only say that something did.
fn explain(error: &(dyn StdError + 'static)) -> Option<String> {
    const WRAPPERS: &[&str] = &[
        "the credential provider was not enabled",
        "an error occurred while loading credentials",
        "the credentials provider was not properly configured",
        "an unexpected error occurred",
        "unexpected credentials error",
        "service error",
        "unhandled error",
        "dispatch failure",
        "io error",
        "timeout",
        "other",
    ];
    let mut texts: Vec<String> = Vec::new();
    let mut add = |text: String| {
        // AWS's crates show a request that they could not send, with all that is secret in it.
        let text = match text.find("Request {") {
            Some(at) => text[..at].trim_end_matches(" to request ").trim_end().to_owned(),
            None => text,
        };
        let is_wrapper = WRAPPERS.iter().any(|wrapper| text == *wrapper) || text.starts_with("unhandled error (");
        if !text.is_empty() && !is_wrapper && !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
    };
    let mut innermost = error;
    let mut next = Some(error);
    while let Some(cause) = next {
        match cause.downcast_ref::<ErrorMetadata>() {
            Some(service) => {
                add([service.code(), service.message()].into_iter().flatten().collect::<Vec<_>>().join(": "));
            }
            None => add(cause.to_string()),
        }
        innermost = cause;
        next = cause.source();
    }
    // Some of AWS's errors show their cause only in the old way.
    #[expect(deprecated, reason = "there is no other way to it")]
    let mut next = innermost.cause();
    while let Some(cause) = next {
        add(cause.to_string());
        next = cause.source().map(|cause| cause as &dyn StdError);
    }
    (!texts.is_empty()).then(|| texts.join(": "))
}

/// Hands questions for addresses to the platform.
struct DnsResolver(Arc<dyn Platform>);

impl fmt::Debug for DnsResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DnsResolver")
    }
}

impl ResolveDns for DnsResolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let found = self.0.lookup(name).await.map_err(ResolveDnsError::new)?;
            Ok(found.into_iter().map(|address| address.ip()).collect())
        })
    }
}
