//! Credentials of IAM Identity Center (SSO), for a token that `aws sso login` has left in ~/.aws/sso/cache. AWS's generated
//! clients make the requests; aws-config's provider around them is not used, since it reads fewer forms of the token's
//! file than the AWS CLI writes, and shows the token in its errors.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_config::{Region, SdkConfig};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use sha1::{Digest, Sha1};
use zeroize::Zeroizing;

use crate::config::credentials::Credentials;
use crate::credentials::sdk_http::Http;
use crate::credentials::timestamp;
use crate::large_future::on_heap;
use crate::log::{Log, target};
use crate::platform_api::Platform;
use crate::response::json_fields;

/// A token is renewed this long before it expires.
const AHEAD: Duration = Duration::from_secs(5 * 60);

/// The SSO properties of a profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sso {
    /// The section that the session is named by; without one the start URL names it, and the token is never renewed.
    pub(crate) session: Option<String>,
    pub(crate) start_url: String,
    pub(crate) region: String,
    pub(crate) account_id: String,
    pub(crate) role_name: String,
}

/// The clients' settings. `None`: AWS's endpoint of the region.
pub(crate) struct Clients<'a> {
    pub(crate) config: &'a SdkConfig,
    pub(crate) portal_endpoint: Option<String>,
    pub(crate) oidc_endpoint: Option<String>,
    pub(crate) http: &'a Http,
    pub(crate) platform: &'a dyn Platform,
    pub(crate) log: &'a Log,
}

/// The token's file, read.
struct Cached {
    access_token: Zeroizing<String>,
    expires: SystemTime,
    /// What renewing it takes.
    registration: Option<Registration>,
}

struct Registration {
    client_id: Zeroizing<String>,
    client_secret: Zeroizing<String>,
    refresh_token: Zeroizing<String>,
    expires: SystemTime,
    /// As it stands in the file.
    expires_text: Zeroizing<String>,
}

impl Sso {
    pub(crate) async fn load(&self, home: Option<&Path>, clients: &Clients<'_>) -> Result<Credentials, String> {
        let home = home.ok_or("no home directory is known in which a token could be cached")?;
        let file = self.token_file(home);
        let token = self.token(&file, clients).await?;
        let config = self.config(clients.config, &clients.portal_endpoint);
        clients.http.conceal(&token);
        let answer = on_heap(|| {
            aws_sdk_sso::Client::new(&config)
                .get_role_credentials()
                .role_name(&self.role_name)
                .account_id(&self.account_id)
                .access_token(token.as_str())
                .send()
        });
        let answer = answer.await;
        let given = answer.ok().and_then(|answer| answer.role_credentials).ok_or_else(|| {
            let why = clients.http.failure();
            // Not when the service is down or cannot be reached.
            if clients.http.refused_with().is_some_and(|status| status < 500) { with_hint(&why) } else { why }
        })?;
        let text = |text: Option<String>| text.map(Zeroizing::new).ok_or_else(|| clients.http.failure());
        let (id, secret) = (text(given.access_key_id)?, text(given.secret_access_key)?);
        let token = given.session_token.map(Zeroizing::new);
        let expires = DateTime::from_millis(given.expiration).try_into().map_err(|_| clients.http.failure())?;
        Credentials::new(&id, &secret, token.as_deref().map(String::as_str), Some(expires))
            .map_err(|error| error.message().to_owned())
    }

    /// As the AWS CLI names it: after the session or, without one, after its start URL.
    fn token_file(&self, home: &Path) -> PathBuf {
        let name = self.session.as_ref().unwrap_or(&self.start_url);
        let hash = Sha1::digest(name.as_bytes()).iter().fold(String::new(), |mut hash, byte| {
            // Writing to a String does not fail.
            let _ = write!(hash, "{byte:02x}");
            hash
        });
        home.join(".aws/sso/cache").join(hash).with_extension("json")
    }

    fn config(&self, config: &SdkConfig, endpoint: &Option<String>) -> SdkConfig {
        let mut builder = config.to_builder().region(Region::new(self.region.clone()));
        builder.set_endpoint_url(endpoint.clone());
        builder.build()
    }

    /// The token, renewed if it is about to expire and can be renewed.
    async fn token(&self, file: &Path, clients: &Clients<'_>) -> Result<Zeroizing<String>, String> {
        let place = file.display();
        let text = clients.platform.read_file(file).await;
        let text = text.map_err(|why| with_hint(&format!("no cached token: {place}: {why}")))?;
        let cached = Cached::read(&text).map_err(|why| with_hint(&format!("{place}: {why}")))?;
        let now = SystemTime::now();
        let renewable = cached.registration.as_ref().filter(|known| self.session.is_some() && known.expires > now);
        if now + AHEAD < cached.expires {
            return Ok(cached.access_token);
        }
        let why = match renewable {
            None => format!("the cached token in {place} has expired"),
            Some(registration) => match self.renew(registration, file, now, clients).await {
                Ok(token) => return Ok(token),
                Err(why) => format!("the cached token in {place} could not be renewed: {why}"),
            },
        };
        if now < cached.expires {
            clients.log.debug(target::CREDENTIALS, || format!("{why}; it is still good"));
            return Ok(cached.access_token);
        }
        Err(with_hint(&why))
    }

    /// Gets a new token and leaves it for the other AWS tools.
    async fn renew(
        &self,
        registration: &Registration,
        file: &Path,
        now: SystemTime,
        clients: &Clients<'_>,
    ) -> Result<Zeroizing<String>, String> {
        let config = self.config(clients.config, &clients.oidc_endpoint);
        let answer = on_heap(|| {
            aws_sdk_ssooidc::Client::new(&config)
                .create_token()
                .grant_type("refresh_token")
                .client_id(registration.client_id.as_str())
                .client_secret(registration.client_secret.as_str())
                .refresh_token(registration.refresh_token.as_str())
                .send()
        });
        let answer = answer.await.map_err(|_| clients.http.failure())?;
        let token = answer.access_token.map(Zeroizing::new).ok_or_else(|| clients.http.failure())?;
        let next = answer.refresh_token.map(Zeroizing::new);
        let life = u64::try_from(answer.expires_in).map_err(|_| clients.http.failure())?;
        let expires = DateTime::from(now + Duration::from_secs(life)).fmt(Format::DateTime);
        let expires = expires.map_err(|_| clients.http.failure())?;
        let text = self.document(registration, &token, next.as_ref(), &expires);
        if let Err(error) = clients.platform.replace_private_file(file, text.as_bytes()) {
            clients.log.warn(target::CREDENTIALS, || {
                format!("the renewed SSO token could not be kept in {}: {error}", file.display())
            });
        }
        Ok(token)
    }

    /// The file's new content.
    fn document(
        &self,
        registration: &Registration,
        token: &str,
        next: Option<&Zeroizing<String>>,
        expires: &str,
    ) -> Zeroizing<String> {
        let fields = [
            ("accessToken", token),
            ("expiresAt", expires),
            ("refreshToken", next.unwrap_or(&registration.refresh_token)),
            ("clientId", &registration.client_id),
            ("clientSecret", &registration.client_secret),
            ("registrationExpiresAt", &registration.expires_text),
            ("region", &self.region),
            ("startUrl", &self.start_url),
        ];
        // Made at its full length: one that grew would leave copies of secrets behind.
        let length = fields.iter().map(|(name, value)| name.len() + value.len() * 6 + 8).sum();
        let mut document = Zeroizing::new(String::with_capacity(length));
        for (name, value) in fields {
            let opening = if document.is_empty() { "{\"" } else { ", \"" };
            document.push_str(opening);
            document.push_str(name);
            document.push_str("\": ");
            document.push_str(&Zeroizing::new(serde_json::Value::from(value).to_string()));
        }
        document.push('}');
        document
    }
}

impl Cached {
    fn read(text: &[u8]) -> Result<Self, String> {
        let fields = ["accessToken", "expiresAt", "clientId", "clientSecret", "refreshToken", "registrationExpiresAt"];
        let fields = json_fields::texts(text, fields).ok_or("is not a JSON object")?;
        let [token, expires, id, secret, refresh, registration_expires] =
            fields.map(|field| field.map(Zeroizing::new).filter(|text| !text.is_empty()));
        let registration = match (id, secret, refresh, registration_expires) {
            (Some(client_id), Some(client_secret), Some(refresh_token), Some(expires_text)) => {
                let expires =
                    timestamp::parse(&expires_text).ok_or("its registrationExpiresAt is not a date in ISO 8601")?;
                Some(Registration { client_id, client_secret, refresh_token, expires, expires_text })
            }
            _ => None,
        };
        Ok(Self {
            access_token: token.ok_or("has no accessToken")?,
            expires: timestamp::parse(&expires.ok_or("has no expiresAt")?)
                .ok_or("its expiresAt is not a date in ISO 8601")?,
            registration,
        })
    }
}

/// Adds the command that makes a new token.
fn with_hint(why: &str) -> String {
    format!("{why} (run aws sso login)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewed_token_is_kept_in_the_form_that_was_read() {
        let sso = Sso {
            session: Some("corp".to_owned()),
            start_url: "https://start.example/\"x".to_owned(),
            region: "eu-central-1".to_owned(),
            account_id: "123456789012".to_owned(),
            role_name: "Reader".to_owned(),
        };
        let text = r#"{"accessToken": "old", "expiresAt": "2026-01-02T03:04:05UTC", "clientId": "id", "clientSecret": "s",
                      "refreshToken": "r\u000a\"", "registrationExpiresAt": "2027-01-02T03:04:05Z", "other": [1]}"#;
        let registration = Cached::read(text.as_bytes()).unwrap().registration.unwrap();
        let document = sso.document(&registration, "new\\token", None, "2026-02-02T03:04:05Z");
        let kept = Cached::read(document.as_bytes()).unwrap();
        assert_eq!(*kept.access_token, "new\\token");
        assert_eq!(*kept.registration.unwrap().refresh_token, "r\n\"");
        let start_url = json_fields::texts(document.as_bytes(), ["startUrl"]).unwrap();
        assert_eq!(start_url, [Some(sso.start_url)]);
    }

    #[test]
    fn a_file_that_cannot_be_used_says_why() {
        for (text, why) in [
            ("[]", "is not a JSON object"),
            ("{}", "has no accessToken"),
            (r#"{"accessToken": "t"}"#, "has no expiresAt"),
            (r#"{"accessToken": "t", "expiresAt": "soon"}"#, "its expiresAt is not a date in ISO 8601"),
        ] {
            assert_eq!(Cached::read(text.as_bytes()).err().as_deref(), Some(why), "{text}");
        }
    }
}
