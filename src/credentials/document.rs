//! The JSON document in which a container and instance metadata return credentials. Source of its form: the ECS Developer
//! Guide and the EC2 User Guide; the other spellings are those that the AWS SDKs read.

use zeroize::Zeroizing;

use crate::config::credentials::Credentials;
use crate::credentials::sdk_http::{Http, Response};
use crate::credentials::timestamp;
use crate::response::json_fields;

const NAMES: [&str; 14] = [
    "Code",
    "code",
    "AccessKeyId",
    "accessKeyId",
    "SecretAccessKey",
    "secretAccessKey",
    "Token",
    "token",
    "SessionToken",
    "sessionToken",
    "Expiration",
    "expiration",
    "ExpiresAt",
    "expiresAt",
];
const SUCCESS: &str = "Success";

/// Reads the credentials of a response. The error repeats nothing of it but an error's code and message, redacted.
pub(crate) fn credentials(response: &Response, http: &Http) -> Result<Credentials, String> {
    let fail = |why: &str| Err(format!("{why} ({})", response.exchange));
    let Some(fields) = json_fields::texts(&response.body, NAMES) else {
        return fail(match response.status {
            200 => "the response is not a JSON object",
            _ => "the request was refused",
        });
    };
    let fields = fields.map(|field| field.map(Zeroizing::new).filter(|text| !text.is_empty()));
    let either = |a: usize, b: usize| fields[a].as_ref().or(fields[b].as_ref());
    if response.status != 200 || either(0, 1).is_some_and(|code| **code != SUCCESS) {
        return Err(http.refusal(response));
    }
    let Some(id) = either(2, 3) else { return fail("the response has no AccessKeyId") };
    let Some(secret) = either(4, 5) else { return fail("the response has no SecretAccessKey") };
    let Some(token) = either(6, 7).or(either(8, 9)) else { return fail("the response has no Token") };
    let Some(expiration) = either(10, 11).or(either(12, 13)) else { return fail("the response has no Expiration") };
    let Some(expires) = timestamp::parse(expiration) else {
        return fail("the Expiration of the response is not a date in ISO 8601");
    };
    Credentials::new(id, secret, Some(token), Some(expires))
        .map_err(|error| format!("{} ({})", error.message(), response.exchange))
}
