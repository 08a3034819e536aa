//! Signature Version 4 of one attempt.

use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};

use super::error::Error;
use super::outcome::Status;
use super::wire::{METHOD, Request};

const SIGNING_NAME: &str = "lambda";

/// The request's headers and those of its signature. The path, which is encoded once on the wire, is encoded a second
/// time in what is signed; User-Agent and X-Amzn-Trace-Id are not signed, since what lies between may change them.
pub(crate) fn signed_headers(request: &Request, identity: &Identity, now: SystemTime) -> Result<HeaderMap, Error> {
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
