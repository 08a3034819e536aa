//! Signature Version 4 of one attempt. Source of its form: the IAM User Guide, "Create a signed AWS API request".
//!
//! Keys and signature are computed by aws-sigv4. What is signed is put together here: aws-sigv4 would leave four copies of
//! the session token behind that nobody wipes.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use aws_smithy_runtime_api::client::identity::Identity;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue, USER_AGENT};
use percent_encoding::{AsciiSet, utf8_percent_encode};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::config::credentials::{Credentials, Key};
use crate::error::Error;
use crate::http::secret_value::secret_value;
use crate::request::function_name::ENCODED;
use crate::request::http::{HttpRequest, METHOD, TRACE_ID, hex};
use crate::status::Status;

const SIGNING_NAME: &str = "lambda";
const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const SECURITY_TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
/// A path keeps its slashes.
const PATH: &AsciiSet = &ENCODED.remove(b'/');
/// Length of `20260102`.
const DAY: usize = 8;

/// Signs a request, and returns its headers with those of the signature. The path, which is encoded once on the wire, is
/// encoded a second time in what is signed. User-Agent and X-Amzn-Trace-Id are not signed, since proxies may change them.
pub(crate) fn signed_headers(request: &HttpRequest, identity: &Identity, now: SystemTime) -> Result<HeaderMap, Error> {
    let failed = |what: &str| {
        Error::new(Status::Internal, format!("the request could not be signed: {what}; please report this"))
    };
    let credentials = identity.data::<Credentials>().ok_or_else(|| failed("the credentials are of another kind"))?;
    let known = &credentials.inner;
    let time = iso_8601(now).ok_or_else(|| failed("the time is before 1970 or after 9999"))?;
    let mut headers = request.headers.clone();
    headers.insert(DATE, HeaderValue::from_str(&time).map_err(|_| failed("the date does not fit into a header"))?);
    if let Some(token) = known.session_token() {
        let token = secret_value(Zeroizing::new(token.as_bytes().to_vec()));
        headers.insert(SECURITY_TOKEN, token.map_err(|_| failed("the session token does not fit into a header"))?);
    }
    let signed = signed_of(&headers);
    let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let (region, day) = (&request.region, &time[..DAY]);
    // Joined and not formatted, which would take six times as long.
    let scope = [day, "/", region, "/", SIGNING_NAME, "/aws4_request"].concat();
    let canonical = canonical_request(request, &signed, &names);
    let to_sign = [ALGORITHM, "\n", &time, "\n", &scope, "\n", &hex(&Sha256::digest(&*canonical))].concat();
    let key = credentials.signing_key(&scope, |secret| {
        let mut key = Key::default();
        key.copy_from_slice(generate_signing_key(secret, now, region, SIGNING_NAME).as_ref());
        key
    });
    let signature = calculate_signature(key.as_slice(), to_sign.as_bytes());
    let authorization = [
        &[ALGORITHM, " Credential=", known.access_key_id(), "/", &scope][..],
        &[", SignedHeaders=", &names, ", Signature=", &signature],
    ];
    let mut authorization = HeaderValue::from_str(&authorization.concat().concat())
        .map_err(|_| failed("the access key id does not fit into a header"))?;
    authorization.set_sensitive(true);
    headers.insert(AUTHORIZATION, authorization);
    Ok(headers)
}

/// The headers that are signed, in the order of their names.
fn signed_of(headers: &HeaderMap) -> Vec<(&str, &[u8])> {
    let mut signed: Vec<_> = headers
        .iter()
        .filter(|(name, _)| **name != USER_AGENT && **name != TRACE_ID)
        .map(|(name, value)| (name.as_str(), value.as_bytes()))
        .collect();
    signed.sort_unstable();
    signed
}

/// Method, path, query, headers and payload in the one form that both sides sign. Holds the session token.
fn canonical_request(request: &HttpRequest, signed: &[(&str, &[u8])], names: &str) -> Zeroizing<Vec<u8>> {
    let (path, query) = (request.url.path(), request.url.query().unwrap_or_default());
    let lengths = signed.iter().map(|(name, value)| name.len() + value.len() + 8);
    let length = 3 * path.len() + query.len() + names.len() + lengths.sum::<usize>() + 256;
    // Made at its full length: one that grew would leave copies of the token behind.
    let mut canonical = Zeroizing::new(Vec::with_capacity(length));
    let mut line = |parts: &[&[u8]]| {
        parts.iter().for_each(|part| canonical.extend_from_slice(part));
        canonical.push(b'\n');
    };
    line(&[METHOD.as_str().as_bytes()]);
    line(&[utf8_percent_encode(&without_dots(path), PATH).to_string().as_bytes()]);
    // The one parameter that there may be is encoded already as it is signed.
    line(&[query.as_bytes()]);
    for (name, value) in signed {
        line(&[name.as_bytes(), b":", &single_spaced(value)]);
    }
    line(&[]);
    line(&[names.as_bytes()]);
    canonical.extend_from_slice(request.payload_sha256.as_bytes());
    canonical
}

/// The path without empty segments and without `.` and `..`, which only the path of a custom endpoint could have.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(kept.pop()),
            other => kept.push(other),
        }
    }
    format!("/{}", kept.join("/"))
}

/// The value without the spaces around it, and with one in the place of several.
fn single_spaced(value: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut out = Zeroizing::new(Vec::with_capacity(value.len()));
    for byte in value.trim_ascii() {
        if *byte != b' ' || out.last() != Some(&b' ') {
            out.push(*byte);
        }
    }
    out
}

/// The time in the basic form of ISO 8601.
fn iso_8601(time: SystemTime) -> Option<String> {
    let seconds = i64::try_from(time.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()?;
    let text = DateTime::from_secs(seconds).fmt(Format::DateTime).ok()?;
    let basic: String = text.chars().filter(|c| !matches!(c, '-' | ':')).collect();
    (basic.len() == "20260102T030405Z".len() && basic.is_ascii()).then_some(basic)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::Value;

    use super::*;
    use crate::config::config::Config;
    use crate::config::settings::Settings;
    use crate::request::fields::InvocationRequest;
    use crate::request::http::Operation;
    use crate::request::invocation::Invocation;

    /// 2026-01-02T03:04:05Z, the time of the vectors.
    const NOW: Duration = Duration::from_secs(1_767_323_045);

    #[test]
    fn requests_and_signatures_equal_botocores_for_every_form_of_every_field() {
        let vectors: Value = serde_json::from_str(include_str!("../../tests/vectors/invoke.json")).unwrap();
        let cases = vectors["cases"].as_array().unwrap();
        assert!(cases.len() > 100);
        for case in cases {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            let input = &case["input"];
            let request = InvocationRequest {
                function_name: text(&input["function_name"]).unwrap(),
                client_context: text(&input["client_context"]),
                invocation_type: text(&input["invocation_type"]),
                log_type: text(&input["log_type"]),
                qualifier: text(&input["qualifier"]),
                payload: text(&input["payload"]).map(|payload| STANDARD.decode(payload).unwrap()),
                tenant_id: text(&input["tenant_id"]),
                durable_execution_name: text(&input["durable_execution_name"]),
                trace_header: text(&input["trace_header"]),
            };
            let mut config = Config {
                region: text(&case["region"]),
                endpoint_url: text(&case["endpoint_url"]),
                ..Config::default()
            };
            let key = |name: &str| vectors[name].as_str().unwrap();
            let token = text(&case["session_token"]);
            config.set_credentials(key("access_key_id"), key("secret_access_key"), token.as_deref()).unwrap();
            let settings = Settings::of(&config, &[]).unwrap();
            let name = case["name"].as_str().unwrap();

            let request = HttpRequest::new(Operation::Invoke, &Invocation::from(request), &settings)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let identity = config.credentials.unwrap().identity();
            let headers = signed_headers(&request, &identity, UNIX_EPOCH + NOW).unwrap();

            let expected = &case["expected"];
            assert_eq!(request.url.path(), expected["path"], "{name}");
            assert_eq!(request.url.query().unwrap_or_default(), expected["query"], "{name}");
            for (header, value) in expected["headers"].as_object().unwrap() {
                assert_eq!(headers[header].to_str().unwrap(), value, "{name}: {header}");
            }
            assert_eq!(headers["authorization"].to_str().unwrap(), expected["authorization"], "{name}");
            assert_eq!(
                headers.get("x-amzn-trace-id").map(|value| value.to_str().unwrap()),
                input["trace_header"].as_str()
            );
        }
    }

    /// What no vector of botocore's has: paths of custom endpoints, and odd spaces in headers.
    #[test]
    fn signatures_equal_those_of_aws_sigv4_for_odd_endpoints_and_headers() {
        use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
        use aws_sigv4::sign::v4;

        let mut random = fastrand::Rng::with_seed(8);
        for round in 0..2_000 {
            let text = |random: &mut fastrand::Rng, alphabet: &str, most: usize| -> String {
                let alphabet: Vec<char> = alphabet.chars().collect();
                (0..random.usize(..=most)).map(|_| alphabet[random.usize(..alphabet.len())]).collect()
            };
            let prefix = text(&mut random, "ab./~_:@!$&'()*+,;=%20", 12);
            let mut config = Config {
                region: Some("us-east-1".to_owned()),
                endpoint_url: Some(format!("http://h:1/{}", prefix.replace('%', "%25"))),
                ..Config::default()
            };
            let token = (round % 2 == 0).then_some("token/+==");
            config.set_credentials("AKID", "secret", token).unwrap();
            let settings = Settings::of(&config, &[]).unwrap();
            let request = InvocationRequest {
                function_name: format!("f{}", text(&mut random, "abc-_", 5)),
                qualifier: (round % 3 == 0).then(|| "$LATEST".to_owned()),
                tenant_id: Some(format!("t{}t", text(&mut random, " ab", 6))),
                ..InvocationRequest::default()
            };
            let request = HttpRequest::new(Operation::Invoke, &Invocation::from(request), &settings).unwrap();
            let credentials = config.credentials.unwrap();
            let identity = credentials.identity();
            let ours = signed_headers(&request, &identity, UNIX_EPOCH + NOW).unwrap();

            let visible: Vec<_> =
                request.headers.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
            let body = SignableBody::Precomputed(request.payload_sha256.clone());
            let signable = SignableRequest::new("POST", request.url.as_str(), visible.into_iter(), body).unwrap();
            let theirs: Identity = credentials.inner.clone().into();
            let parameters = v4::SigningParams::builder()
                .identity(&theirs)
                .region(&request.region)
                .name(SIGNING_NAME)
                .time(UNIX_EPOCH + NOW)
                .settings(SigningSettings::default())
                .build()
                .unwrap()
                .into();
            let (theirs, _) = sign(signable, &parameters).unwrap().into_parts();
            for header in theirs.into_parts().0 {
                assert_eq!(ours[header.name()].to_str().unwrap(), header.value(), "{}", request.url);
            }
        }
    }
}
