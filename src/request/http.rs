//! An invocation as an HTTP request: everything but the signature.

use std::fmt;

use bytes::Bytes;
use http::header::{HOST, HeaderName, HeaderValue, USER_AGENT};
use http::{HeaderMap, Method};
use percent_encoding::utf8_percent_encode;
use sha2::{Digest, Sha256};
use url::Url;

use crate::config::settings::Settings;
use crate::error::Error;
use crate::request::fields::{InvocationType, LogType};
use crate::request::function_name::ENCODED;
use crate::request::invocation::Invocation;

pub(crate) const METHOD: Method = Method::POST;

/// What is asked of Lambda.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Invoke,
    InvokeWithResponseStream,
}

const INVOCATION_TYPE: HeaderName = HeaderName::from_static("x-amz-invocation-type");
const LOG_TYPE: HeaderName = HeaderName::from_static("x-amz-log-type");
const CLIENT_CONTEXT: HeaderName = HeaderName::from_static("x-amz-client-context");
const TENANT_ID: HeaderName = HeaderName::from_static("x-amz-tenant-id");
const DURABLE_EXECUTION_NAME: HeaderName = HeaderName::from_static("x-amz-durable-execution-name");
pub(crate) const TRACE_ID: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Built once per call, signed anew for every attempt.
#[derive(Debug)]
pub(crate) struct HttpRequest {
    pub(crate) url: Url,
    /// The host and port that it is sent to, for messages.
    pub(crate) host: String,
    /// See [`Endpoint::resolved_here`].
    pub(crate) resolved_here: bool,
    pub(crate) operation: Operation,
    /// The region that it is signed for.
    pub(crate) region: String,
    pub(crate) kind: InvocationType,
    /// All headers but those of the signature and Content-Length.
    pub(crate) headers: HeaderMap,
    pub(crate) payload: Bytes,
    /// In lower-case hexadecimal.
    pub(crate) payload_sha256: String,
}

impl Operation {
    fn path(self, function: impl fmt::Display) -> String {
        match self {
            Self::Invoke => format!("/2015-03-31/functions/{function}/invocations"),
            Self::InvokeWithResponseStream => {
                format!("/2021-11-15/functions/{function}/response-streaming-invocations")
            }
        }
    }
}

impl HttpRequest {
    /// Builds the request. It refuses what cannot be sent, or has no region.
    pub(crate) fn new(operation: Operation, invocation: &Invocation, settings: &Settings) -> Result<Self, Error> {
        let fields = &invocation.request;
        let name = fields.check()?;
        if operation == Operation::InvokeWithResponseStream {
            fields.check_streamed()?;
        }
        let kind = fields.kind()?;

        let Some(region) = name.region.or(settings.region.as_ref().map(|region| region.value.as_str())) else {
            return Err(Error::config(format!(
                "no region: set it for the client, in AWS_REGION or AWS_DEFAULT_REGION, or as region of profile {} in {}, or \
                 call the function by its ARN",
                settings.profile.value, settings.files[0].1.value
            )));
        };
        let endpoint = settings.endpoint_of(region)?;
        let path = operation.path(name.path_segment());
        let query =
            fields.qualifier.as_ref().map(|qualifier| format!("Qualifier={}", utf8_percent_encode(qualifier, ENCODED)));

        let mut headers = HeaderMap::with_capacity(12);
        headers.insert(HOST, header_value("endpoint_url", &endpoint.host)?);
        headers.insert(USER_AGENT, header_value("app_id", &settings.user_agent)?);
        if fields.invocation_type.is_some() {
            headers.insert(INVOCATION_TYPE, HeaderValue::from_static(kind.as_str()));
        }
        if let Some(log_type) = fields.log_type.as_deref() {
            headers.insert(LOG_TYPE, HeaderValue::from_static(LogType::parse(log_type)?.as_str()));
        }
        for (header, field, value) in [
            (CLIENT_CONTEXT, "client_context", &fields.client_context),
            (TENANT_ID, "tenant_id", &fields.tenant_id),
            (DURABLE_EXECUTION_NAME, "durable_execution_name", &fields.durable_execution_name),
            (TRACE_ID, "trace_header", &fields.trace_header),
        ] {
            if let Some(value) = value {
                headers.insert(header, header_value(field, value)?);
            }
        }
        Ok(Self {
            url: endpoint.url(&path, query.as_deref()),
            host: endpoint.host.clone(),
            resolved_here: endpoint.resolved_here,
            operation,
            region: region.to_owned(),
            kind,
            headers,
            payload: invocation.payload.clone(),
            payload_sha256: hex(&Sha256::digest(&invocation.payload)),
        })
    }

    /// Returns whether the URL is an https one.
    pub(crate) fn is_over_tls(&self) -> bool {
        self.url.scheme() == "https"
    }
}

fn header_value(field: &str, value: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(value).map_err(|_| Error::argument(format!("{field}: {value:?} does not fit into a header")))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 0xf));
    }
    text
}
