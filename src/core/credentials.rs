//! Where the keys come from that sign a call.

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::identity::Identity;

use super::error::Error;
use super::outcome::Status;

/// Longer than any session token is, and short enough for a header.
const MAX_KEY_BYTES: usize = 32 * 1024;
const SHORTEST_SECRET: usize = 8;
const REDACTED: &str = "(redacted)";

/// Settled once per client, asked once per attempt.
#[derive(Debug)]
pub(crate) enum Source {
    /// From a setter or the environment.
    Static(Identity),
    /// Nothing usable was found; every call says so.
    Missing(Error),
}

impl Source {
    /// Keys given by setter, which checked them.
    pub(crate) fn from_setter(credentials: &Credentials) -> Self {
        Self::Static(credentials.clone().into())
    }

    /// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; `variable` gives what is set and not empty.
    pub(crate) fn from_environment(variable: impl Fn(&str) -> Result<Option<String>, Error>) -> Self {
        let read = || match (
            variable("AWS_ACCESS_KEY_ID")?,
            variable("AWS_SECRET_ACCESS_KEY")?,
            variable("AWS_SESSION_TOKEN")?,
        ) {
            (Some(id), Some(secret), token) => {
                check("environment", &id, &secret, token.as_deref())?;
                Ok(Self::Static(Credentials::new(id, secret, token, None, "Environment").into()))
            }
            (Some(_), None, _) => Err(Error::config("AWS_ACCESS_KEY_ID is set, but AWS_SECRET_ACCESS_KEY is not")),
            (None, Some(_), _) => Err(Error::config("AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not")),
            (None, None, _) => Err(Error::config("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set")),
        };
        read().unwrap_or_else(|error| {
            Self::Missing(Error::new(
                Status::Credentials,
                format!(
                    "no credentials: none were set for this client; environment: {}. Set them for the client or in \
                     the environment",
                    error.message()
                ),
            ))
        })
    }

    /// The keys for the attempt that begins now. May wait for the network.
    pub(crate) async fn current(&self) -> Result<Identity, Error> {
        match self {
            Self::Static(identity) => Ok(identity.clone()),
            Self::Missing(error) => Err(error.clone()),
        }
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
    let credentials = identity.data::<Credentials>();
    let both = credentials.map(|known| [Some(known.secret_access_key()), known.session_token()]).unwrap_or_default();
    both.into_iter().flatten().filter(|secret| secret.len() >= SHORTEST_SECRET)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing(set: &[(&str, &str)]) -> String {
        let source = Source::from_environment(|name| {
            Ok(set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        });
        match source {
            Source::Missing(error) => error.message().to_owned(),
            Source::Static(_) => panic!("found credentials in {set:?}"),
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(missing(&[]).contains("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set"));
        assert!(missing(&[("AWS_ACCESS_KEY_ID", "AKID")]).contains("AWS_SECRET_ACCESS_KEY is not"));
        assert!(missing(&[("AWS_SECRET_ACCESS_KEY", "hunter2")]).contains("AWS_ACCESS_KEY_ID is not"));
        let text = missing(&[("AWS_ACCESS_KEY_ID", "AKID"), ("AWS_SECRET_ACCESS_KEY", "hunter2\n")]);
        assert!(text.contains("secret_access_key holds") && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn secrets_leave_a_servers_text_and_words_stay() {
        let (secret, token) = ("wJalrXUtnFEMI/K7MDENG", "IQoJb3JpZ2luX2VjEAEaCXVzLWVhc3QtMSJI");
        let identity: Identity = Credentials::new("AKID", secret, Some(token.into()), None, "test").into();
        let text = format!("canonical string: x-amz-security-token:{token} ... {secret} ... AKID {token}");
        let redacted = "canonical string: x-amz-security-token:(redacted) ... (redacted) ... AKID (redacted)";
        assert_eq!(redact(&identity, text.clone().into_bytes()), redacted.as_bytes());
        assert_eq!(redact_text(&identity, text), redacted);

        let identity: Identity = Credentials::new("test", "test", None, None, "test").into();
        assert_eq!(redact_text(&identity, "function:my-test-fn".into()), "function:my-test-fn");
    }
}
