//! Credentials of a session that `aws login` has begun. AWS's provider reads its file, renews it with a proof of possession
//! and keeps it. Its errors cannot be told apart by their types, and their text is not used.

use std::path::{Path, PathBuf};

use aws_config::login::LoginCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::ProvideCredentials;
use sha2::{Digest, Sha256};

use crate::config::credentials::Credentials;
use crate::config::environment::Environment;
use crate::credentials::sdk_http::Http;
use crate::platform_api::Platform;

/// Returns where tokens are cached, as AWS's provider finds it.
pub(crate) fn cache_directory(environment: &Environment<'_>) -> Option<PathBuf> {
    let set = (environment.variable)("AWS_LOGIN_CACHE_DIRECTORY").map(PathBuf::from);
    set.or_else(|| Some(environment.home.as_ref()?.join(".aws/login/cache")))
}

pub(crate) async fn load(
    session: &str,
    directory: Option<&Path>,
    config: ProviderConfig,
    http: &Http,
    platform: &dyn Platform,
) -> Result<Credentials, String> {
    let directory = directory.ok_or("no home directory is known in which a token could be cached")?;
    let file = token_file(directory, session);
    // The provider reads the file inside the poll, where no deadline holds. A file that cannot be read, or is slow to be
    // read for the first time, is noticed here.
    let read = platform.read_file(&file).await;
    read.map_err(|why| format!("no cached token: {}: {why} (run aws login)", file.display()))?;
    let provider = LoginCredentialsProvider::builder(session).configure(&config).build();
    let given = provider.provide_credentials().await.map_err(|_| match http.was_asked() {
        false => format!("{}: the cached token is not valid, or has expired (run aws login)", file.display()),
        true if http.refused_with().is_some_and(|status| status < 500) => {
            format!("{} (run aws login)", http.failure())
        }
        true => http.failure(),
    })?;
    Credentials::new(given.access_key_id(), given.secret_access_key(), given.session_token(), given.expiry())
        .map_err(|error| error.message().to_owned())
}

/// As the AWS CLI names it: after the session.
fn token_file(directory: &Path, session: &str) -> PathBuf {
    let hash = Sha256::digest(session.trim().as_bytes());
    directory.join(hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>()).with_extension("json")
}
