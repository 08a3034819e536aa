//! Credentials from the agent beside a container: ECS, EKS Pod Identity, or whatever the environment names. Source of the
//! protocol: the AWS SDKs and Tools Reference Guide, "Container credential provider".
//!
//! It is one GET, made here: AWS's provider reads the environment anew for each load, puts the URI, which is a secret on
//! ECS, into its errors, and leaves unwiped copies of the response behind.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use http::Method;
use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use url::{Host, Url};
use zeroize::Zeroizing;

use crate::config::credentials::Credentials;
use crate::config::endpoint;
use crate::config::lookup::Lookup;
use crate::credentials::document;
use crate::credentials::provider::ProviderError;
use crate::credentials::sdk_http::{Http, secret_header};
use crate::credentials::token_file;
use crate::error::Error;
use crate::platform_api::Platform;

const RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// Where the agent of ECS listens.
const ECS: &str = "http://169.254.170.2";
/// The addresses beside loopback that get the token without TLS: the agents of ECS and of EKS.
const AGENTS: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
];
const TIMEOUT: Duration = Duration::from_secs(7);

/// The container's settings, read when the client is made.
pub(crate) struct Container {
    /// The variable that names the URI.
    pub(crate) variable: &'static str,
    /// Or what is wrong with it.
    url: Result<Url, String>,
    token: Option<Token>,
}

enum Token {
    Value(Zeroizing<String>),
    /// Read for each load: its writer renews it.
    File(PathBuf),
}

impl Container {
    /// `Err`: the environment names no agent.
    pub(crate) fn resolve(lookup: &Lookup<'_>) -> Result<Result<Self, String>, Error> {
        let environment = lookup.environment;
        let (variable, url) = match (environment.get(RELATIVE_URI)?, environment.get(FULL_URI)?) {
            (Some(path), _) => (RELATIVE_URI, relative(&path)),
            (None, Some(url)) => (FULL_URI, full(&url)),
            (None, None) => return Ok(Err(format!("neither {RELATIVE_URI} nor {FULL_URI} is set"))),
        };
        let token = match environment.path(TOKEN_FILE) {
            Some(file) => Some(Token::File(file)),
            None => environment.get(TOKEN)?.map(|token| Token::Value(Zeroizing::new(token))),
        };
        Ok(Ok(Self { variable, url, token }))
    }

    pub(crate) async fn load(&self, http: &Http, platform: &dyn Platform) -> Result<Credentials, ProviderError> {
        self.fetch(http, platform).await.map_err(ProviderError::Failed)
    }

    async fn fetch(&self, http: &Http, platform: &dyn Platform) -> Result<Credentials, String> {
        let url = self.url.as_ref().map_err(String::clone)?;
        check_host(url, platform).await.map_err(|why| format!("{}: {why}", self.variable))?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some((token, origin)) = self.token(platform).await? {
            let value = secret_header(token.trim())
                .map_err(|_| format!("{origin}: the token contains a character that no header can carry"))?;
            headers.insert(AUTHORIZATION, value);
        }
        let http = http.hiding_paths().with_timeout(TIMEOUT);
        let response = http.fetch(Method::GET, url.as_str(), &headers).await?;
        document::credentials(&response, &http)
    }

    /// The authorization token, and where it came from.
    async fn token(&self, platform: &dyn Platform) -> Result<Option<(Zeroizing<String>, String)>, String> {
        match &self.token {
            None => Ok(None),
            Some(Token::Value(token)) => Ok(Some((token.clone(), TOKEN.to_owned()))),
            Some(Token::File(file)) => {
                let token = token_file::read(file, platform).await?;
                Ok(Some((token, file.display().to_string())))
            }
        }
    }
}

fn relative(path: &str) -> Result<Url, String> {
    let url = Url::parse(&format!("{ECS}{path}")).ok();
    // Anything but a path could lead to another host.
    url.filter(|_| path.starts_with('/'))
        .ok_or_else(|| format!("{RELATIVE_URI}: is not a path that begins with a slash"))
}

fn full(url: &str) -> Result<Url, String> {
    endpoint::check(FULL_URI, url).map_err(|error| error.message().to_owned())?;
    Url::parse(url).map_err(|error| format!("{FULL_URI}: is not a valid URL ({error})"))
}

/// Without TLS whoever is on the way sees the token and the credentials.
async fn check_host(url: &Url, platform: &dyn Platform) -> Result<(), String> {
    let refuse = |host: &dyn std::fmt::Display| {
        Err(format!("{host} is neither this machine nor the agent of ECS or EKS: it needs https"))
    };
    let is_near = |address: &IpAddr| address.is_loopback() || AGENTS.contains(address);
    match url.host() {
        _ if url.scheme() == "https" => Ok(()),
        Some(Host::Ipv4(address)) if is_near(&address.into()) => Ok(()),
        Some(Host::Ipv6(address)) if is_near(&address.into()) => Ok(()),
        Some(Host::Domain(name)) => {
            let found = platform.lookup(name).await.map_err(|error| format!("{name}: {}", error.message))?;
            if found.iter().all(|found| is_near(&found.ip())) { Ok(()) } else { refuse(&name) }
        }
        Some(other) => refuse(&other),
        None => refuse(&"it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_uri_leads_to_the_agent_and_nowhere_else() {
        assert_eq!(relative("/v2/credentials/x?y=z").unwrap().as_str(), "http://169.254.170.2/v2/credentials/x?y=z");
        for path in ["@evil.example/", ".evil.example/", ":81/", "v2/x", "http://evil.example/"] {
            assert!(!relative(path).unwrap_err().contains("evil"), "{path}");
        }
        for path in ["//evil.example/", "/@evil.example/", "/../..//evil.example"] {
            assert_eq!(relative(path).unwrap().host_str(), Some("169.254.170.2"), "{path}");
        }
    }
}
