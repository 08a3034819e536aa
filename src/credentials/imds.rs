//! Credentials of the instance's role, from instance metadata (IMDSv2). Source of the protocol: the EC2 User Guide,
//! "Retrieve security credentials from instance metadata".
//!
//! It is one PUT and two GETs, made here: AWS's client panics on what a server may send (a role's name with a line break
//! behind it, an endless token), and shows whole responses, credentials included, in its errors.

use std::time::{Duration, SystemTime};

use http::Method;
use http::header::{HeaderMap, HeaderValue};

use crate::config::credentials::Credentials;
use crate::config::lookup::Lookup;
use crate::config::shown_url::shown;
use crate::credentials::document;
use crate::credentials::provider::ProviderError;
use crate::credentials::sdk_http::{Http, secret_header};
use crate::error::Error;
use crate::log::{Log, target};

/// Where instance metadata is, unless set otherwise. Source: the EC2 User Guide.
const ENDPOINT: &str = "http://169.254.169.254";
const ENDPOINT_IPV6: &str = "http://[fd00:ec2::254]";
const TOKEN_PATH: &str = "/latest/api/token";
const ROLES_PATH: &str = "/latest/meta-data/iam/security-credentials/";
const TOKEN: &str = "x-aws-ec2-metadata-token";
const TOKEN_TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
/// The longest that it grants.
const TTL_SECONDS: &str = "21600";

/// How long the first response is waited for: on a machine that is not an instance there is none.
const SILENCE: Duration = Duration::from_secs(2);
/// And how long all of them, once it has answered.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long credentials are used that had expired when they came. Shorter than the shortest life of any.
const EXTENSION: Duration = Duration::from_secs(10 * 60);
const NOT_FOUND: u16 = 404;

/// The endpoint of instance metadata, resolved when the client is made.
#[derive(Debug)]
pub(crate) struct Imds {
    pub(crate) endpoint: String,
}

impl Imds {
    /// `Err`: it is switched off.
    pub(crate) fn resolve(lookup: &Lookup<'_>) -> Result<Result<Self, String>, Error> {
        let environment = lookup.environment;
        if environment.get("AWS_EC2_METADATA_DISABLED")?.is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(Err("AWS_EC2_METADATA_DISABLED is true".to_owned()));
        }
        let either = |variable, property| -> Result<Option<String>, Error> {
            Ok(environment.get(variable)?.or_else(|| lookup.profiles.selected(property).map(|found| found.value)))
        };
        let endpoint = match either("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint")? {
            Some(endpoint) if !is_http(&endpoint) => {
                return Ok(Err("ec2_metadata_service_endpoint is not an http or https URL".to_owned()));
            }
            Some(endpoint) => endpoint.trim_end_matches('/').to_owned(),
            None => {
                let mode = either("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "ec2_metadata_service_endpoint_mode")?;
                match mode.map(|mode| mode.trim().to_ascii_lowercase()).as_deref() {
                    None | Some("ipv4") => ENDPOINT.to_owned(),
                    Some("ipv6") => ENDPOINT_IPV6.to_owned(),
                    Some(_) => {
                        return Ok(Err("ec2_metadata_service_endpoint_mode is neither IPv4 nor IPv6".to_owned()));
                    }
                }
            }
        };
        Ok(Ok(Self { endpoint }))
    }

    /// The endpoint without a user and a password, which some proxies want.
    pub(crate) fn shown(&self) -> String {
        shown(&self.endpoint)
    }

    pub(crate) async fn load(&self, http: &Http, now: SystemTime, log: &Log) -> Result<Credentials, ProviderError> {
        let http = &http.with_timeout(SILENCE);
        let mut loading = std::pin::pin!(self.fetch(http));
        let mut limit = SILENCE;
        let mut loaded = tokio::time::timeout(limit, loading.as_mut()).await;
        if loaded.is_err() && http.had_a_response() {
            // It is there, and busy.
            limit = TIMEOUT;
            loaded = tokio::time::timeout(limit - SILENCE, loading).await;
        }
        let loaded = loaded.unwrap_or_else(|_| {
            let what = if http.had_a_response() { "credentials" } else { "response" };
            Err(ProviderError::NotAvailable(format!("no {what} in {} s", limit.as_secs())))
        });
        let credentials = loaded.map_err(|error| error.about(&format!("at {}", self.shown())))?;
        Ok(extended(credentials, now, log))
    }

    async fn fetch(&self, http: &Http) -> Result<Credentials, ProviderError> {
        let mut headers = HeaderMap::new();
        headers.insert(TOKEN_TTL, HeaderValue::from_static(TTL_SECONDS));
        let response = http.fetch(Method::PUT, &format!("{}{TOKEN_PATH}", self.endpoint), &headers).await;
        let response = response.map_err(ProviderError::NotAvailable)?;
        if response.status != 200 {
            return Err(ProviderError::Failed(http.refusal(&response)));
        }
        let token = std::str::from_utf8(&response.body).ok().and_then(|token| secret_header(token.trim()).ok());
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return Err(ProviderError::Failed(format!("the response is not a token ({})", response.exchange)));
        };
        let mut headers = HeaderMap::new();
        headers.insert(TOKEN, token);

        let response = http.fetch(Method::GET, &format!("{}{ROLES_PATH}", self.endpoint), &headers).await;
        let response = response.map_err(ProviderError::Failed)?;
        if response.status == NOT_FOUND {
            return Err(ProviderError::NotAvailable(format!("the instance has no role ({})", response.exchange)));
        }
        if response.status != 200 {
            return Err(ProviderError::Failed(http.refusal(&response)));
        }
        let Some(role) = role(&response.body) else {
            return Err(ProviderError::Failed(format!("the response does not name a role ({})", response.exchange)));
        };
        let response = http.fetch(Method::GET, &format!("{}{ROLES_PATH}{role}", self.endpoint), &headers).await;
        let response = response.map_err(ProviderError::Failed)?;
        document::credentials(&response, http).map_err(ProviderError::Failed)
    }
}

/// The first name of a list of roles, each on its own line.
fn role(list: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(list).ok()?.lines().map(str::trim).find(|line| !line.is_empty())?;
    // What a name may hold, according to IAM.
    let is_name = name.len() <= 128 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@-_".contains(&b));
    is_name.then_some(name)
}

/// In an outage of its own service, an instance returns credentials that have expired. Lambda takes them for some time,
/// which is better than to fail without asking: they are used a while longer, then loaded again.
fn extended(credentials: Credentials, now: SystemTime, log: &Log) -> Credentials {
    match credentials.expires() {
        Some(expires) if expires <= now => {
            log.warn(target::CREDENTIALS, || {
                format!(
                    "instance metadata returned credentials that expired {} s ago; they are used for {} s, since its own \
                     service may be down",
                    now.duration_since(expires).unwrap_or_default().as_secs(),
                    EXTENSION.as_secs()
                )
            });
            credentials.expiring(now + EXTENSION)
        }
        _ => credentials,
    }
}

fn is_http(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_the_first_name_of_the_list() {
        for list in ["the-role", "the-role\n", "\r\n  the-role \t\r\nanother\n"] {
            assert_eq!(role(list.as_bytes()), Some("the-role"), "{list:?}");
        }
        for list in ["", "\n", "the role", "a/b", "<html>", "r\u{f6}le", &"x".repeat(129)] {
            assert_eq!(role(list.as_bytes()), None, "{list:?}");
        }
        assert_eq!(role(b"\xff"), None);
    }
}
