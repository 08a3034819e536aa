//! Credentials of a session that `aws login` has begun. AWS's provider reads its file, renews it with a proof of possession
//! and keeps it. Its errors cannot be told apart by their types, and their text is not used.

use aws_config::login::LoginCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::provider::ProvideCredentials;

use crate::config::credentials::Credentials;
use crate::credentials::sdk_http::Http;

pub(crate) async fn load(session: &str, config: ProviderConfig, http: &Http) -> Result<Credentials, String> {
    let provider = LoginCredentialsProvider::builder(session).configure(&config).build();
    let given = provider.provide_credentials().await.map_err(|_| match http.was_asked() {
        false => "the session's token is not cached, or has expired (run aws login)".to_owned(),
        true if http.refused_with().is_some_and(|status| status < 500) => {
            format!("{} (run aws login)", http.failure())
        }
        true => http.failure(),
    })?;
    Credentials::new(given.access_key_id(), given.secret_access_key(), given.session_token(), given.expiry())
        .map_err(|error| error.message().to_owned())
}
