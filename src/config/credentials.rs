//! Credentials: what they may hold, the callback that returns them, and how they are kept out of what is shown.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use aws_smithy_runtime_api::client::identity::Identity;
use zeroize::Zeroizing;

use crate::error::Error;

/// Longer than any session token is, and short enough for a header.
const MAX_FIELD_BYTES: usize = 32 * 1024;
/// A word as short as "test", the secret of many a local server, is not treated as a secret: removing it would only spoil
/// the text around it. Nor is a shorter part of a longer secret.
const SHORTEST_SECRET: usize = 8;
const REDACTED: &[u8] = b"(redacted)";

/// Credentials that sign calls. Wiped from memory when the last copy is dropped, and never shown.
#[derive(Clone)]
pub struct Credentials {
    pub(crate) inner: aws_credential_types::Credentials,
    /// Derived from the secret, and wiped with it.
    signing_keys: Arc<RwLock<Vec<SigningKey>>>,
}

/// As long as a SHA-256.
pub(crate) type Key = Zeroizing<[u8; 32]>;

/// A key is good for one day, region and service, which are its scope.
struct SigningKey {
    scope: String,
    key: Key,
}

/// More regions than a client calls by turns.
const MAX_SIGNING_KEYS: usize = 16;

impl Credentials {
    /// Rejects what no header could carry. `expires` `None`: they do not expire.
    pub fn new(
        access_key_id: &str,
        secret_access_key: &str,
        session_token: Option<&str>,
        expires: Option<SystemTime>,
    ) -> Result<Self, Error> {
        check("credentials", access_key_id, secret_access_key, session_token)?;
        let token = session_token.map(str::to_owned);
        Ok(Self::of(aws_credential_types::Credentials::new(access_key_id, secret_access_key, token, expires, PROVIDER)))
    }

    /// The same credentials, which expire at another time.
    pub(crate) fn expiring(&self, expires: SystemTime) -> Self {
        let Self { inner, .. } = self;
        let (id, secret, token) = (inner.access_key_id(), inner.secret_access_key(), inner.session_token());
        Self::of(aws_credential_types::Credentials::new(id, secret, token.map(str::to_owned), Some(expires), PROVIDER))
    }

    fn of(inner: aws_credential_types::Credentials) -> Self {
        Self { inner, signing_keys: Arc::default() }
    }

    /// Returns the signing key of a scope that begins with its day. `derive` makes it from the secret, once for all calls.
    pub(crate) fn signing_key(&self, scope: &str, derive: impl FnOnce(&str) -> Key) -> Key {
        let keys = self.signing_keys.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = keys.iter().find(|known| known.scope == scope) {
            return known.key.clone();
        }
        drop(keys);
        let key = derive(self.inner.secret_access_key());
        let day = |scope: &str| scope.split('/').next().map(str::to_owned);
        let mut keys = self.signing_keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.retain(|known| known.scope != scope && day(&known.scope) == day(scope));
        if keys.len() >= MAX_SIGNING_KEYS {
            keys.remove(0);
        }
        keys.push(SigningKey { scope: scope.to_owned(), key: key.clone() });
        key
    }

    /// Returns the part that is not secret.
    pub(crate) fn access_key_id(&self) -> &str {
        self.inner.access_key_id()
    }

    pub(crate) fn expires(&self) -> Option<SystemTime> {
        self.inner.expiry()
    }

    pub(crate) fn identity(&self) -> Identity {
        Identity::new(self.clone(), self.expires())
    }
}

/// What AWS's types call the origin of credentials; it is not used here.
const PROVIDER: &str = "lambda_invoke";

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("access_key_id", &self.inner.access_key_id()).finish_non_exhaustive()
    }
}

/// The application's function that returns credentials, or says why it has none.
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

/// Checks that the fields fit into headers. The error never repeats a value.
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
        if value.len() > MAX_FIELD_BYTES {
            return Err(Error::argument(format!("{origin}: {field} is too long ({} bytes)", value.len())));
        }
        if !value.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::argument(format!(
                "{origin}: {field} contains a space, a line break or another character that is not allowed there"
            )));
        }
    }
    Ok(())
}

/// Secrets that must not be shown, though a server repeats them whole or in part.
#[derive(Default)]
pub(crate) struct Secrets(Vec<Zeroizing<Vec<u8>>>);

impl Secrets {
    pub(crate) fn of(identity: &Identity) -> Self {
        let mut secrets = Self::default();
        if let Some(Credentials { inner: known, .. }) = identity.data() {
            secrets.add(known.secret_access_key());
            secrets.add(known.session_token().unwrap_or_default());
        }
        secrets
    }

    pub(crate) fn add(&mut self, secret: &str) {
        let secret = secret.as_bytes();
        if secret.len() >= SHORTEST_SECRET && self.0.iter().all(|known| known.as_slice() != secret) {
            self.0.push(Zeroizing::new(secret.to_vec()));
        }
    }

    /// Adds the value of a header. Of a Signature Version 4 only the signature itself is secret: the rest is what a
    /// server's error is about.
    pub(crate) fn add_header(&mut self, value: &str) {
        match value.strip_prefix("AWS4-HMAC-SHA256 ").map(|rest| rest.rsplit_once("Signature=")) {
            Some(signature) => self.add(signature.map(|(_, signature)| signature).unwrap_or_default()),
            // A scheme such as Bearer goes before the secret itself.
            None => self.add(value.rsplit(' ').next().unwrap_or_default()),
        }
    }

    /// Adds the parts of a URL's path and query that cannot be guessed: those with a digit.
    pub(crate) fn add_path(&mut self, url: &str) {
        let path = url.split_once("://").map_or(url, |(_, rest)| rest);
        let parts = path.split(['/', '?', '&', '=']).skip(1);
        parts.filter(|part| part.bytes().any(|b| b.is_ascii_digit())).for_each(|part| self.add(part));
    }

    pub(crate) fn redacted(&self, text: String) -> String {
        match self.redact(text.as_bytes()) {
            Cow::Borrowed(_) => text,
            Cow::Owned(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// Removes every part of a secret that is long enough to be of use.
    pub(crate) fn redact<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        let parts: HashSet<&[u8]> = self.0.iter().flat_map(|secret| secret.windows(SHORTEST_SECRET)).collect();
        if parts.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut kept = Vec::new();
        // Up to where the text is copied or replaced.
        let mut done = 0;
        for (at, window) in text.windows(SHORTEST_SECRET).enumerate() {
            if !parts.contains(window) {
                continue;
            }
            // Otherwise it continues the part that was found last.
            if at >= done {
                kept.extend_from_slice(&text[done..at]);
                kept.extend_from_slice(REDACTED);
            }
            done = at + SHORTEST_SECRET;
        }
        if done == 0 {
            return Cow::Borrowed(text);
        }
        kept.extend_from_slice(&text[done..]);
        Cow::Owned(kept)
    }
}

/// Removes the secrets of `identity` from what a server wrote.
pub(crate) fn redact(identity: &Identity, bytes: Vec<u8>) -> Vec<u8> {
    match Secrets::of(identity).redact(&bytes) {
        Cow::Borrowed(_) => bytes,
        Cow::Owned(redacted) => redacted,
    }
}

/// The same for text that was read from there, and may have stood there in another form.
pub(crate) fn redact_text(identity: &Identity, text: String) -> String {
    Secrets::of(identity).redacted(text)
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

    #[test]
    fn no_part_of_a_secret_that_is_long_enough_stays() {
        let secret = "wJalrXUtnFEMI/K7MDENG";
        let mut secrets = Secrets::default();
        secrets.add(secret);
        for from in 0..secret.len() {
            for to in from + 1..=secret.len() {
                let part = &secret[from..to];
                let redacted = secrets.redacted(format!("<{part}>"));
                let expected = if part.len() < SHORTEST_SECRET { part } else { "(redacted)" };
                assert_eq!(redacted, format!("<{expected}>"));
            }
        }
        assert_eq!(secrets.redacted(format!("{secret}{secret}x")), "(redacted)(redacted)x");
    }

    #[test]
    fn headers_and_paths_give_up_what_is_secret_in_them() {
        let mut secrets = Secrets::default();
        secrets.add_header("Bearer abcdefgh0123");
        secrets
            .add_header("AWS4-HMAC-SHA256 Credential=AKID/20260102/us-east-1/sts/aws4_request, Signature=0a1b2c3d4e5f");
        secrets.add_path("http://169.254.170.2/v2/credentials/5fd2c0a8-11aa?key=q1w2e3r4t5");
        let text =
            "Bearer abcdefgh0123, 0a1b2c3d4e5f, us-east-1/sts/aws4_request, /v2/credentials/5fd2c0a8-11aa q1w2e3r4t5";
        let redacted =
            "Bearer (redacted), (redacted), us-east-1/sts/aws4_request, /v2/credentials/(redacted) (redacted)";
        assert_eq!(secrets.redacted(text.to_owned()), redacted);
    }
}
