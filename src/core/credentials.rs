//! Where the keys come from that sign a call.

use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::identity::Identity;

use super::error::Error;
use super::outcome::Status;

/// Settled once per client, asked once per attempt.
#[derive(Debug)]
pub(crate) enum Source {
    /// From a setter or the environment.
    Static(Identity),
    /// Nothing usable was found; every call says so.
    Missing(Error),
}

impl Source {
    /// Keys given by setter.
    pub(crate) fn from_setter(credentials: &Credentials) -> Result<Self, Error> {
        check(credentials, "credentials")?;
        Ok(Self::Static(credentials.clone().into()))
    }

    /// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN; `variable` gives what is set and not empty.
    pub(crate) fn from_environment(variable: impl Fn(&str) -> Result<Option<String>, Error>) -> Self {
        let read = || match (
            variable("AWS_ACCESS_KEY_ID")?,
            variable("AWS_SECRET_ACCESS_KEY")?,
            variable("AWS_SESSION_TOKEN")?,
        ) {
            (Some(id), Some(secret), token) => {
                let credentials = Credentials::new(id, secret, token, None, "Environment");
                check(&credentials, "environment")?;
                Ok(Self::Static(credentials.into()))
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
pub(crate) fn check(credentials: &Credentials, origin: &str) -> Result<(), Error> {
    let fields = [
        ("access_key_id", credentials.access_key_id()),
        ("secret_access_key", credentials.secret_access_key()),
        ("session_token", credentials.session_token().unwrap_or("none")),
    ];
    for (field, value) in fields {
        if value.is_empty() {
            return Err(Error::argument(format!("{origin}: {field} is empty")));
        }
        if !value.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Error::argument(format!(
                "{origin}: {field} holds a space, a line break or another character that no key has"
            )));
        }
    }
    Ok(())
}

/// Takes the secrets of `identity` out of a text that a server wrote: AWS's answer to a wrong signature repeats the
/// headers that it saw.
pub(crate) fn redact(identity: &Identity, text: &mut String) {
    let Some(credentials) = identity.data::<Credentials>() else { return };
    for secret in [Some(credentials.secret_access_key()), credentials.session_token()].into_iter().flatten() {
        if text.contains(secret) {
            *text = text.replace(secret, "(redacted)");
        }
    }
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
    fn secrets_leave_a_servers_text() {
        let identity: Identity = Credentials::new("AKID", "hunter2", Some("tok3n".into()), None, "test").into();
        let mut text = "canonical string: x-amz-security-token:tok3n ... hunter2 ... AKID".to_owned();
        redact(&identity, &mut text);
        assert_eq!(text, "canonical string: x-amz-security-token:(redacted) ... (redacted) ... AKID");
    }
}
