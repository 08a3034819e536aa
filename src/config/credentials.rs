//! Keys that sign: what they may be, whom to ask for them, and how they are kept out of what is shown.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use aws_smithy_runtime_api::client::identity::Identity;

use crate::error::Error;

/// Longer than any session token is, and short enough for a header.
const MAX_KEY_BYTES: usize = 32 * 1024;
const SHORTEST_SECRET: usize = 8;
const REDACTED: &str = "(redacted)";

/// Keys that sign calls. Wiped from memory when the last copy is dropped, and never shown.
#[derive(Clone)]
pub struct Credentials(pub(crate) aws_credential_types::Credentials);

impl Credentials {
    /// Refuses what no header could carry. `expires` `None`: they do not run out.
    pub fn new(
        access_key_id: &str,
        secret_access_key: &str,
        session_token: Option<&str>,
        expires: Option<SystemTime>,
    ) -> Result<Self, Error> {
        check("credentials", access_key_id, secret_access_key, session_token)?;
        let token = session_token.map(str::to_owned);
        Ok(Self(aws_credential_types::Credentials::new(access_key_id, secret_access_key, token, expires, PROVIDER)))
    }

    /// The part that is no secret.
    pub(crate) fn access_key_id(&self) -> &str {
        self.0.access_key_id()
    }

    pub(crate) fn expires(&self) -> Option<SystemTime> {
        self.0.expiry()
    }

    pub(crate) fn identity(&self) -> Identity {
        self.0.clone().into()
    }
}

/// What AWS's types call where keys came from; nobody reads it here.
const PROVIDER: &str = "lambda_invoke";

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.0.access_key_id()).finish_non_exhaustive()
    }
}

/// The host's function that gives keys, or says in words why not.
#[derive(Clone)]
pub(crate) struct Callback(Arc<dyn Fn() -> Result<Credentials, String> + Send + Sync>);

impl Callback {
    pub(crate) fn new(callback: impl Fn() -> Result<Credentials, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(callback))
    }

    pub(crate) fn call(&self) -> Result<Credentials, String> {
        (self.0)()
    }
}

impl fmt::Debug for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callback")
    }
}

/// What stands in headers must be fit for them. Never repeats a value.
pub(crate) fn check(
    origin: &str,
    access_key_id: &str,
    secret_access_key: &str,
    session_token: Option<&str>,
) -> Result<(), Error> {
    let fields = [
        ("access_key_id", access_key_id),
        ("secret_access_key", secret_access_key),
        ("session_token", session_token.unwrap_or("none")),
    ];
    for (field, value) in fields {
        if value.is_empty() {
            return Err(Error::argument(format!("{origin}: {field} is empty")));
        }
        if value.len() > MAX_KEY_BYTES {
            return Err(Error::argument(format!("{origin}: {field} is {} bytes long, as no key is", value.len())));
        }
        if !value.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::argument(format!(
                "{origin}: {field} holds a space, a line break or another character that no key has"
            )));
        }
    }
    Ok(())
}

/// Takes the secrets of `identity` out of what a server wrote.
pub(crate) fn redact(identity: &Identity, mut bytes: Vec<u8>) -> Vec<u8> {
    for secret in secrets(identity) {
        let mut kept = Vec::new();
        let mut rest = bytes.as_slice();
        while let Some(at) = rest.windows(secret.len()).position(|window| window == secret.as_bytes()) {
            kept.extend_from_slice(&rest[..at]);
            kept.extend_from_slice(REDACTED.as_bytes());
            rest = &rest[at + secret.len()..];
        }
        if rest.len() < bytes.len() {
            kept.extend_from_slice(rest);
            bytes = kept;
        }
    }
    bytes
}

/// The same for text that was read from there, and may have stood there in another form.
pub(crate) fn redact_text(identity: &Identity, text: String) -> String {
    secrets(identity)
        .fold(text, |text, secret| if text.contains(secret) { text.replace(secret, REDACTED) } else { text })
}

/// What must not be shown. A word as short as "test", the secret of many a local server, is none: taking it out would
/// only spoil the text around it.
fn secrets(identity: &Identity) -> impl Iterator<Item = &str> {
    let credentials = identity.data::<aws_credential_types::Credentials>();
    let both = credentials.map(|known| [Some(known.secret_access_key()), known.session_token()]).unwrap_or_default();
    both.into_iter().flatten().filter(|secret| secret.len() >= SHORTEST_SECRET)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_leave_a_servers_text_and_words_stay() {
        let (secret, token) = ("wJalrXUtnFEMI/K7MDENG", "IQoJb3JpZ2luX2VjEAEaCXVzLWVhc3QtMSJI");
        let identity = Credentials::new("AKID", secret, Some(token), None).unwrap().identity();
        let text = format!("canonical string: x-amz-security-token:{token} ... {secret} ... AKID {token}");
        let redacted = "canonical string: x-amz-security-token:(redacted) ... (redacted) ... AKID (redacted)";
        assert_eq!(redact(&identity, text.clone().into_bytes()), redacted.as_bytes());
        assert_eq!(redact_text(&identity, text), redacted);

        let identity = Credentials::new("test", "test", None, None).unwrap().identity();
        assert_eq!(redact_text(&identity, "function:my-test-fn".into()), "function:my-test-fn");
    }
}
