//! Signature Version 4 of one attempt.

use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use crate::error::Error;
use crate::request::http::{HttpRequest, METHOD};
use crate::status::Status;

const SIGNING_NAME: &str = "lambda";

/// Signs a request, and returns its headers with those of the signature. The path, which is encoded once on the wire, is
/// encoded a second time in what is signed. User-Agent and X-Amzn-Trace-Id are not signed, since proxies may change them.
pub(crate) fn signed_headers(request: &HttpRequest, identity: &Identity, now: SystemTime) -> Result<HeaderMap, Error> {
    let failed = |what: &str, error: &dyn std::fmt::Display| {
        Error::new(Status::Internal, format!("the request could not be signed: {what}: {error}; please report this"))
    };
    let mut visible = Vec::with_capacity(request.headers.len());
    for (name, value) in &request.headers {
        visible.push((name.as_str(), value.to_str().map_err(|error| failed(name.as_str(), &error))?));
    }
    let signable = SignableRequest::new(
        METHOD.as_str(),
        request.url.as_str(),
        visible.into_iter(),
        SignableBody::Precomputed(request.payload_sha256.clone()),
    )
    .map_err(|error| failed("request", &error))?;
    let parameters = v4::SigningParams::builder()
        .identity(identity)
        .region(&request.region)
        .name(SIGNING_NAME)
        .time(now)
        .settings(SigningSettings::default())
        .build()
        .map_err(|error| failed("parameters", &error))?
        .into();
    let (instructions, _) = sign(signable, &parameters).map_err(|error| failed("signature", &error))?.into_parts();

    let mut headers = request.headers.clone();
    for header in instructions.into_parts().0 {
        let mut value = HeaderValue::from_str(header.value()).map_err(|error| failed(header.name(), &error))?;
        value.set_sensitive(header.sensitive());
        headers.insert(HeaderName::from_static(header.name()), value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::Value;

    use super::*;
    use crate::config::config::Config;
    use crate::config::settings::Settings;
    use crate::request::fields::InvocationRequest;
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

            let request = HttpRequest::new(&Invocation::from(request), &settings)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let identity = config.credentials.unwrap().identity();
            let headers = signed_headers(&request, &identity, UNIX_EPOCH + NOW).unwrap();

            let expected = &case["expected"];
            let url = url::Url::parse(&request.url).unwrap();
            assert_eq!(url.path(), expected["path"], "{name}");
            assert_eq!(url.query().unwrap_or_default(), expected["query"], "{name}");
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
}
