//! Function names and the other fields of a request.

use http::HeaderValue;
use percent_encoding::percent_decode_str;

use super::{assert_shown, parts};
use crate::config::endpoint::Endpoint;
use crate::config::region;
use crate::request::fields::InvocationRequest;
use crate::request::function_name::FunctionName;

/// A function name; behind lines of two dashes a qualifier, a tenant id, a trace header and a client context in JSON.
pub(super) fn run(data: &[u8]) {
    let fields = parts::<5>(data).map(|part| std::str::from_utf8(part).ok());
    let [Some(name), qualifier, tenant_id, trace_header, context] = fields else { return };
    let some = |field: Option<&str>| field.filter(|field| !field.is_empty()).map(str::to_owned);
    let mut request = InvocationRequest {
        function_name: name.to_owned(),
        qualifier: some(qualifier),
        tenant_id: some(tenant_id),
        trace_header: some(trace_header),
        ..InvocationRequest::default()
    };
    if let Some(Err(error)) = some(context).map(|json| request.set_client_context_json(&json)) {
        assert_shown(error.message());
    }
    match request.check() {
        Ok(parsed) => check(name, &parsed),
        Err(error) => return assert_shown(error.message()),
    }
    for value in [&request.tenant_id, &request.trace_header, &request.client_context].into_iter().flatten() {
        assert!(HeaderValue::from_str(value).is_ok_and(|header| header.to_str().is_ok()), "{value:?}");
    }
}

/// Checks that the name is one segment of the path, from which it can be read back.
fn check(name: &str, parsed: &FunctionName<'_>) {
    let Ok(endpoint) = Endpoint::custom("endpoint_url", "http://127.0.0.1:1/prefix") else { return };
    let url = endpoint.url(&format!("/functions/{}/invocations", parsed.path_segment()), None);
    let segments: Vec<_> = url.path_segments().into_iter().flatten().collect();
    assert!(matches!(segments[..], ["prefix", "functions", _, "invocations"]), "{url}");
    assert_eq!(percent_decode_str(segments[2]).decode_utf8().as_deref(), Ok(name));
    assert!((url.query(), url.fragment()) == (None, None), "{url}");
    if let Some(region) = parsed.region {
        assert!(name.starts_with("arn:") && region::check("region", region).is_ok(), "{name}");
    }
    assert!(parsed.qualifier.is_none_or(|qualifier| !qualifier.is_empty() && name.contains(qualifier)), "{name}");
}
