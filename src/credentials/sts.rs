//! Credentials of roles, from STS. AWS's generated client makes the requests; aws-config's providers around it are not
//! used, since they refuse a role whose ARN does not have six parts, as some servers of the API write it.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_config::SdkConfig;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::types;
use zeroize::Zeroizing;

use crate::config::credentials::Credentials;
use crate::credentials::profile_chain::Role;
use crate::credentials::sdk_http::Http;
use crate::credentials::token_file;
use crate::large_future::on_heap;
use crate::platform_api::Platform;

/// Assumes a role with the credentials of `config`.
pub(crate) async fn assume_role(
    role: &Role,
    credentials: Credentials,
    config: &SdkConfig,
    http: &Http,
) -> Result<Credentials, String> {
    http.conceal(credentials.inner.secret_access_key());
    http.conceal(credentials.inner.session_token().unwrap_or_default());
    let answer = on_heap(|| {
        let signer = SharedCredentialsProvider::new(credentials.inner.clone());
        let config = config.to_builder().credentials_provider(signer).build();
        aws_sdk_sts::Client::new(&config)
            .assume_role()
            .role_arn(&role.arn)
            .role_session_name(session_name(role))
            .set_external_id(role.external_id.clone())
            .set_duration_seconds(seconds(role))
            .send()
    });
    let answer = answer.await;
    let given = answer.map_err(|_| http.failure()).and_then(|answer| given(answer.credentials, http));
    given.map_err(|why| format!("assuming {}: {why}", role.arn))
}

/// Assumes a role with the web identity token of a file.
pub(crate) async fn web_identity(
    role: &Role,
    file: &Path,
    config: &SdkConfig,
    http: &Http,
    platform: &dyn Platform,
) -> Result<Credentials, String> {
    let token = token_file::read(file, platform).await?;
    let file = file.display();
    if token.trim().is_empty() {
        return Err(format!("{file}: is empty"));
    }
    http.conceal(token.trim());
    let answer = on_heap(|| {
        aws_sdk_sts::Client::new(config)
            .assume_role_with_web_identity()
            .role_arn(&role.arn)
            .role_session_name(session_name(role))
            .set_duration_seconds(seconds(role))
            .web_identity_token(token.trim())
            .send()
    });
    let answer = answer.await;
    let given = answer.map_err(|_| http.failure()).and_then(|answer| given(answer.credentials, http));
    given.map_err(|why| format!("assuming {} with the token in {file}: {why}", role.arn))
}

fn given(credentials: Option<types::Credentials>, http: &Http) -> Result<Credentials, String> {
    let types::Credentials { access_key_id, secret_access_key, session_token, expiration, .. } =
        credentials.ok_or_else(|| http.failure())?;
    let [id, secret, token] = [access_key_id, secret_access_key, session_token].map(Zeroizing::new);
    let expires = expiration.try_into().map_err(|_| http.failure())?;
    Credentials::new(&id, &secret, Some(&token), Some(expires)).map_err(|error| error.message().to_owned())
}

fn seconds(role: &Role) -> Option<i32> {
    role.duration.and_then(|duration| i32::try_from(duration.as_secs()).ok())
}

/// The session's name, or one that shows in CloudTrail whose session it was.
fn session_name(role: &Role) -> String {
    role.session_name.clone().unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        format!("lambda_invoke-{}", now.as_millis())
    })
}
