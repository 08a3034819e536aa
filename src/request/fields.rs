//! The fields of an invocation, and the values that each may have. Source: the service model of Invoke.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::IgnoredAny;

use crate::error::{Error, quoted};
use crate::request::function_name::FunctionName;

/// The length of X-Amz-Client-Context, in base64.
const MAX_CLIENT_CONTEXT_BYTES: usize = 3_583;
const MAX_QUALIFIER_CHARACTERS: usize = 128;
const MAX_TENANT_ID_CHARACTERS: usize = 256;
const MAX_DURABLE_EXECUTION_NAME_CHARACTERS: usize = 64;
/// Not in the model: far more than a trace has, and little enough for a header.
const MAX_TRACE_HEADER_CHARACTERS: usize = 4_096;

/// What to invoke. The fields have the names and the forms of the service's own request.
///
/// They are not checked here. If one cannot be sent, [`Client::invoke`](crate::Client::invoke) refuses the call and sends
/// nothing.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct InvocationRequest {
    /// A name, partial ARN or ARN, each with an optional `:qualifier`; 1 to 256 characters.
    pub function_name: String,
    /// Base64 of JSON, at most 3,583 bytes.
    pub client_context: Option<String>,
    /// `RequestResponse` (the default), `Event` or `DryRun`.
    pub invocation_type: Option<String>,
    /// `None` (the default) or `Tail`, the latter only with `RequestResponse`.
    pub log_type: Option<String>,
    /// A version or an alias, 1 to 128 characters.
    pub qualifier: Option<String>,
    /// The bytes of the event; JSON for most functions. Lambda takes 6 MB, 1 MB for an `Event`.
    pub payload: Option<Vec<u8>>,
    /// 1 to 256 characters.
    pub tenant_id: Option<String>,
    /// 1 to 64 characters.
    pub durable_execution_name: Option<String>,
    /// X-Amzn-Trace-Id.
    pub trace_header: Option<String>,
}

/// Shows payload and client context by their length only: they are the user's own data.
impl fmt::Debug for InvocationRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InvocationRequest")
            .field("function_name", &self.function_name)
            .field("client_context_len", &self.client_context.as_ref().map(String::len))
            .field("invocation_type", &self.invocation_type)
            .field("log_type", &self.log_type)
            .field("qualifier", &self.qualifier)
            .field("payload_len", &self.payload.as_ref().map(Vec::len))
            .field("tenant_id", &self.tenant_id)
            .field("durable_execution_name", &self.durable_execution_name)
            .field("trace_header", &self.trace_header)
            .finish()
    }
}

/// The values of X-Amz-Invocation-Type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum InvocationType {
    RequestResponse,
    Event,
    DryRun,
}

impl InvocationType {
    const ALL: [Self; 3] = [Self::RequestResponse, Self::Event, Self::DryRun];

    /// Returns the value of the header.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::RequestResponse => "RequestResponse",
            Self::Event => "Event",
            Self::DryRun => "DryRun",
        }
    }

    pub(crate) fn parse(value: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == value).ok_or_else(|| {
            Error::argument(format!("invocation_type: {} is not RequestResponse, Event or DryRun", quoted(value)))
        })
    }
}

/// The values of X-Amz-Log-Type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogType {
    None,
    Tail,
}

impl LogType {
    /// Returns the value of the header.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Tail => "Tail",
        }
    }

    pub(crate) fn parse(value: &str) -> Result<Self, Error> {
        [Self::None, Self::Tail]
            .into_iter()
            .find(|kind| kind.as_str() == value)
            .ok_or_else(|| Error::argument(format!("log_type: {} is neither None nor Tail", quoted(value))))
    }
}

impl InvocationRequest {
    /// Sets the client context from JSON. It is checked to be JSON, and sent as base64.
    pub fn set_client_context_json(&mut self, json: &str) -> Result<(), Error> {
        self.client_context = Some(encode_client_context(json)?);
        Ok(())
    }

    /// Returns the invocation type, `RequestResponse` unless set.
    pub(crate) fn kind(&self) -> Result<InvocationType, Error> {
        self.invocation_type.as_deref().map_or(Ok(InvocationType::RequestResponse), InvocationType::parse)
    }

    /// Checks every field by itself, then those that must agree.
    pub(crate) fn check(&self) -> Result<FunctionName<'_>, Error> {
        let name = FunctionName::parse(&self.function_name)?;
        let optional = |value: &Option<String>, check: fn(&str) -> Result<(), Error>| match value {
            Some(value) => check(value),
            None => Ok(()),
        };
        optional(&self.qualifier, check_qualifier)?;
        optional(&self.client_context, check_client_context)?;
        optional(&self.tenant_id, check_tenant_id)?;
        optional(&self.durable_execution_name, check_durable_execution_name)?;
        optional(&self.trace_header, check_trace_header)?;
        let log_type = self.log_type.as_deref().map_or(Ok(LogType::None), LogType::parse)?;
        let kind = self.kind()?;
        if log_type == LogType::Tail && kind != InvocationType::RequestResponse {
            return Err(Error::argument(format!(
                "log_type: Tail needs the invocation type RequestResponse, not {}",
                kind.as_str()
            )));
        }
        if let (Some(in_name), Some(set)) = (name.qualifier, self.qualifier.as_deref())
            && in_name != set
        {
            return Err(Error::argument(format!(
                "qualifier: {set:?} contradicts the qualifier {in_name:?} in the function name {:?}; set only one of them",
                self.function_name
            )));
        }
        Ok(name)
    }
}

impl InvocationRequest {
    /// Checks what the response can only be streamed without.
    pub(crate) fn check_streamed(&self) -> Result<(), Error> {
        if self.kind()? == InvocationType::Event {
            return Err(Error::argument(
                "invocation_type: an Event has no response that could be streamed; invoke it without a stream",
            ));
        }
        if self.durable_execution_name.is_some() {
            return Err(Error::argument(
                "durable_execution_name: a durable execution cannot stream its response; unset the name, or invoke it \
                 without a stream",
            ));
        }
        Ok(())
    }
}

pub(crate) fn check_qualifier(value: &str) -> Result<(), Error> {
    check_length("qualifier", value, MAX_QUALIFIER_CHARACTERS)?;
    if value.chars().any(char::is_control) {
        return Err(Error::argument(format!("qualifier: {} contains a control character", quoted(value))));
    }
    Ok(())
}

pub(crate) fn check_client_context(value: &str) -> Result<(), Error> {
    if value.len() > MAX_CLIENT_CONTEXT_BYTES {
        return Err(Error::argument(format!(
            "client_context: is {} bytes of base64, Lambda takes at most {MAX_CLIENT_CONTEXT_BYTES}",
            value.len()
        )));
    }
    match STANDARD.decode(value) {
        Ok(decoded) if !decoded.is_empty() => Ok(()),
        _ => Err(Error::argument(
            "client_context: is not base64 of JSON; pass JSON itself to the setter that encodes it, or unset the field",
        )),
    }
}

/// Encodes a client context given as JSON.
fn encode_client_context(json: &str) -> Result<String, Error> {
    // Base64 makes four bytes of three: what cannot fit is not encoded.
    if json.len() > MAX_CLIENT_CONTEXT_BYTES / 4 * 3 {
        return Err(Error::argument(format!(
            "client_context: is {} bytes of JSON, Lambda takes at most {MAX_CLIENT_CONTEXT_BYTES} bytes of base64",
            json.len()
        )));
    }
    if let Err(error) = serde_json::from_str::<IgnoredAny>(json) {
        return Err(Error::argument(format!("client_context: is not JSON: {error}")));
    }
    let encoded = STANDARD.encode(json);
    check_client_context(&encoded)?;
    Ok(encoded)
}

pub(crate) fn check_tenant_id(value: &str) -> Result<(), Error> {
    check_length("tenant_id", value, MAX_TENANT_ID_CHARACTERS)?;
    check_header_value("tenant_id", value)
}

pub(crate) fn check_durable_execution_name(value: &str) -> Result<(), Error> {
    check_length("durable_execution_name", value, MAX_DURABLE_EXECUTION_NAME_CHARACTERS)?;
    check_header_value("durable_execution_name", value)
}

pub(crate) fn check_trace_header(value: &str) -> Result<(), Error> {
    check_length("trace_header", value, MAX_TRACE_HEADER_CHARACTERS)?;
    check_header_value("trace_header", value)
}

fn check_length(field: &str, value: &str, max: usize) -> Result<(), Error> {
    match value.chars().count() {
        0 => Err(Error::argument(format!("{field}: is empty; unset it instead"))),
        length if length > max => {
            Err(Error::argument(format!("{field}: is {length} characters long, Lambda takes at most {max}")))
        }
        _ => Ok(()),
    }
}

/// Checks that a value arrives as it was given: a header carries printable ASCII, and HTTP trims the spaces around it.
fn check_header_value(field: &str, value: &str) -> Result<(), Error> {
    if value.is_empty() {
        return Err(Error::argument(format!("{field}: is empty; unset it instead")));
    }
    if !value.bytes().all(|b| (b' '..=b'~').contains(&b)) {
        return Err(Error::argument(format!(
            "{field}: {} contains a character that is not printable ASCII",
            quoted(value)
        )));
    }
    if value.starts_with(' ') || value.ends_with(' ') {
        return Err(Error::argument(format!(
            "{field}: {value:?} begins or ends with a space, which HTTP does not keep"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> InvocationRequest {
        InvocationRequest { function_name: "f".into(), ..InvocationRequest::default() }
    }

    #[test]
    fn tail_needs_request_response() {
        for (kind, fits) in
            [(None, true), (Some("RequestResponse"), true), (Some("Event"), false), (Some("DryRun"), false)]
        {
            let request =
                InvocationRequest { invocation_type: kind.map(Into::into), log_type: Some("Tail".into()), ..request() };
            match request.check() {
                Ok(_) => assert!(fits, "{kind:?}"),
                Err(error) => {
                    assert!(!fits, "{error}");
                    assert!(error.message().contains("needs the invocation type RequestResponse"));
                }
            }
        }
    }

    #[test]
    fn two_qualifiers_must_be_equal() {
        let with = |name: &str, qualifier: &str| InvocationRequest {
            function_name: name.into(),
            qualifier: Some(qualifier.into()),
            ..request()
        };
        assert!(with("f:live", "live").check().is_ok());
        let error = with("f:live", "7").check().unwrap_err().to_string();
        assert!(error.contains("live") && error.contains('7'), "{error}");
    }

    #[test]
    fn no_value_can_split_a_header() {
        let evil = "a\r\nX-Amz-Invocation-Type: Event";
        let refused = |request: InvocationRequest, field: &str| {
            let error = request.check().unwrap_err();
            assert_eq!(error.status(), crate::Status::InvalidArgument);
            assert!(error.message().starts_with(field), "{error}");
        };
        refused(InvocationRequest { tenant_id: Some(evil.into()), ..request() }, "tenant_id");
        refused(InvocationRequest { durable_execution_name: Some(evil.into()), ..request() }, "durable_execution_name");
        refused(InvocationRequest { trace_header: Some(evil.into()), ..request() }, "trace_header");
        refused(InvocationRequest { qualifier: Some(evil.into()), ..request() }, "qualifier");
        refused(InvocationRequest { client_context: Some(evil.into()), ..request() }, "client_context");
        refused(InvocationRequest { invocation_type: Some(evil.into()), ..request() }, "invocation_type");
        refused(InvocationRequest { log_type: Some(evil.into()), ..request() }, "log_type");
    }

    #[test]
    fn spaces_that_http_would_trim_are_refused() {
        for (tenant, fits) in [("a b", true), ("a  b", true), (" a", false), ("a ", false), ("", false), ("é", false)]
        {
            let request = InvocationRequest { tenant_id: Some(tenant.into()), ..request() };
            assert_eq!(request.check().is_ok(), fits, "{tenant:?}");
        }
    }

    #[test]
    fn a_client_context_is_base64_or_is_encoded() {
        assert!(check_client_context("e30=").is_ok());
        for wrong in ["{}", "e30", "", "%%%%", &"A".repeat(3_584)] {
            assert!(check_client_context(wrong).is_err(), "{wrong}");
        }
        assert_eq!(encode_client_context("{}").unwrap(), "e30=");
        assert!(encode_client_context("{").is_err());
        assert!(encode_client_context(&format!("\"{}\"", "x".repeat(2_700))).is_err());
    }

    #[test]
    fn debug_output_does_not_show_the_users_data() {
        let request = InvocationRequest {
            payload: Some(b"top secret".to_vec()),
            client_context: Some("c2VjcmV0".into()),
            ..request()
        };
        let text = format!("{request:?}");
        assert!(!text.contains("secret") && !text.contains("c2VjcmV0"), "{text}");
        assert!(text.contains("payload_len: Some(10)"), "{text}");
    }
}
