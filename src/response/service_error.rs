//! What the service says when it does not invoke: code, message and reason, from wherever they stand.

use std::time::{Duration, SystemTime};

use http::HeaderMap;

use crate::response::json_fields;
use crate::status::Execution;

/// Every error of Invoke that the service model knows: what it says about the function, and whether trying again is safe
/// and of use. Source: AWS's service model and the documentation of each error. EFSIOException and ServiceException leave
/// it open: an earlier handler may have been running.
const MODELLED: &[(&str, Execution, bool)] = &[
    ("CodeArtifactUserDeletedException", Execution::None, false),
    ("CodeArtifactUserFailedException", Execution::None, false),
    ("CodeArtifactUserPendingException", Execution::None, true),
    ("DurableExecutionAlreadyStartedException", Execution::None, false),
    ("EC2AccessDeniedException", Execution::None, false),
    ("EC2ThrottledException", Execution::None, true),
    ("EC2UnexpectedException", Execution::None, false),
    ("EFSIOException", Execution::Unknown, false),
    ("EFSMountConnectivityException", Execution::None, false),
    ("EFSMountFailureException", Execution::None, false),
    ("EFSMountTimeoutException", Execution::None, true),
    ("ENILimitReachedException", Execution::None, false),
    ("ENINotReadyException", Execution::None, true),
    ("InvalidParameterValueException", Execution::None, false),
    ("InvalidRequestContentException", Execution::None, false),
    ("InvalidRuntimeException", Execution::None, false),
    ("InvalidSecurityGroupIDException", Execution::None, false),
    ("InvalidSubnetIDException", Execution::None, false),
    ("InvalidZipFileException", Execution::None, false),
    ("KMSAccessDeniedException", Execution::None, false),
    ("KMSDisabledException", Execution::None, false),
    ("KMSInvalidStateException", Execution::None, false),
    ("KMSNotFoundException", Execution::None, false),
    ("ModeNotSupportedException", Execution::None, false),
    ("NoPublishedVersionException", Execution::None, false),
    ("RecursiveInvocationException", Execution::None, false),
    ("RequestTooLargeException", Execution::None, false),
    ("ResourceConflictException", Execution::None, false),
    ("ResourceNotFoundException", Execution::None, false),
    ("ResourceNotReadyException", Execution::None, true),
    ("RuntimeAliasDeletedException", Execution::None, false),
    ("RuntimeVersionDeletedException", Execution::None, false),
    ("S3FilesMountConnectivityException", Execution::None, false),
    ("S3FilesMountFailureException", Execution::None, false),
    ("S3FilesMountTimeoutException", Execution::None, true),
    ("SerializedRequestEntityTooLargeException", Execution::None, false),
    ("ServiceException", Execution::Unknown, false),
    ("ServiceQuotaExceededException", Execution::None, false),
    ("SnapStartException", Execution::None, false),
    ("SnapStartNotReadyException", Execution::None, true),
    ("SnapStartRegenerationFailureException", Execution::None, false),
    ("SnapStartTimeoutException", Execution::None, true),
    ("SubnetIPAddressLimitReachedException", Execution::None, false),
    ("TooManyRequestsException", Execution::None, true),
    ("UnsupportedMediaTypeException", Execution::None, false),
];

/// The session token has run out. Source: the common errors of AWS's query and JSON protocols.
const EXPIRED_TOKEN: &[&str] = &["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"];

/// AWS's codes for "too often" that the model does not have; with any 4xx.
const THROTTLING: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "SlowDown",
];

/// The clock of the signature is certainly wrong.
const CLOCK: &[&str] = &["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"];

/// The clock of the signature may be wrong; the Date of the answer shows it.
const SIGNATURE: &[&str] = &["InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure"];

/// How Lambda's messages about a clock begin.
const CLOCK_MESSAGES: &[&str] = &["Signature expired", "Signature not yet current"];

/// Off by less, the clock is not what the service complains of.
const CERTAINLY_OFF: Duration = Duration::from_secs(30);
const PERHAPS_OFF: Duration = Duration::from_secs(240);

/// As much of an error that is no document as a message repeats.
const EXCERPT_CHARACTERS: usize = 200;

/// An error answer, read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ServiceError {
    /// Without namespace and suffix.
    pub(crate) code: Option<String>,
    pub(crate) message: Option<String>,
    /// Why a call was throttled.
    pub(crate) reason: Option<String>,
    /// In the body; the header goes before it.
    pub(crate) retry_after: Option<Duration>,
}

impl ServiceError {
    /// The code from x-amzn-ErrorType, else from the body; the rest from the body: JSON, XML or plain text.
    pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Self {
        let mut error = Self::from_json(body).or_else(|| Self::from_xml(body)).unwrap_or_else(|| Self::from_text(body));
        if let Some(value) = headers.get("x-amzn-errortype")
            && let Some(code) = bare_code(&String::from_utf8_lossy(value.as_bytes()))
        {
            error.code = Some(code);
        }
        error
    }

    fn from_json(body: &[u8]) -> Option<Self> {
        let [kind, lower_code, code, lower_message, message, reason] =
            json_fields::texts(body, ["__type", "code", "Code", "message", "Message", "Reason"])?;
        let [seconds] = json_fields::raw(body, ["retryAfterSeconds"])?;
        Some(Self {
            code: kind.or(lower_code).or(code).as_deref().and_then(bare_code),
            message: lower_message.or(message),
            reason,
            retry_after: seconds.and_then(|value| value.get().trim_matches('"').parse().ok()).map(Duration::from_secs),
        })
    }

    fn from_xml(body: &[u8]) -> Option<Self> {
        let document = roxmltree::Document::parse(std::str::from_utf8(body).ok()?).ok()?;
        let text = |name: &str| {
            let found = document.descendants().find(|node| node.tag_name().name() == name)?;
            Some(found.text().unwrap_or_default().trim().to_owned())
        };
        let code = text("Code").as_deref().and_then(bare_code);
        let message = text("Message");
        (code.is_some() || message.is_some()).then_some(Self { code, message, ..Self::default() })
    }

    fn from_text(body: &[u8]) -> Self {
        let text: String = String::from_utf8_lossy(body).trim().chars().take(EXCERPT_CHARACTERS).collect();
        Self { message: (!text.is_empty()).then_some(text), ..Self::default() }
    }

    fn has_code(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// What the service model says of the code: whether the function ran, and whether trying again is safe.
    pub(crate) fn modelled(&self) -> Option<(Execution, bool)> {
        let code = self.code.as_deref()?;
        MODELLED.iter().find(|(known, ..)| *known == code).map(|(_, execution, again)| (*execution, *again))
    }

    pub(crate) fn is_throttling(&self) -> bool {
        self.has_code(THROTTLING)
    }

    pub(crate) fn is_expired_token(&self) -> bool {
        self.has_code(EXPIRED_TOKEN)
    }

    /// How far off the clock must be for this error to be about it; `None`: it is about something else.
    pub(crate) fn clock_tolerance(&self) -> Option<Duration> {
        let message = self.message.as_deref().unwrap_or_default();
        if self.has_code(CLOCK) || CLOCK_MESSAGES.iter().any(|start| message.starts_with(start)) {
            Some(CERTAINLY_OFF)
        } else if self.has_code(SIGNATURE) {
            Some(PERHAPS_OFF)
        } else {
            None
        }
    }
}

/// Retry-After: seconds or a date.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // A number that is too long to count is a very long time.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until = httpdate::parse_http_date(value).ok()?;
    Some(until.duration_since(SystemTime::now()).unwrap_or_default())
}

/// `namespace#Code:suffix` -> `Code`
fn bare_code(given: &str) -> Option<String> {
    let code = given.split(':').next().unwrap_or_default();
    let code = code.rsplit('#').next().unwrap_or_default().trim();
    (!code.is_empty()).then(|| code.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: Option<&str>, body: &str) -> (Option<String>, Option<String>) {
        let mut headers = HeaderMap::new();
        if let Some(value) = header {
            headers.insert("x-amzn-errortype", value.parse().unwrap());
        }
        let error = ServiceError::read(&headers, body.as_bytes());
        (error.code, error.message)
    }

    #[test]
    fn code_and_message_are_found_wherever_they_stand() {
        let xml = "<?xml version=\"1.0\"?><ErrorResponse xmlns=\"http://x/\">";
        for (header, body, code, message) in [
            (
                Some("ResourceNotFoundException"),
                r#"{"Type":"User","Message":"gone"}"#,
                Some("ResourceNotFoundException"),
                Some("gone"),
            ),
            (Some("A:http://internal.amazon.com/coral/x/"), "{}", Some("A"), None),
            (Some("com.amazon#A"), r#"{"__type":"B","message":"m"}"#, Some("A"), Some("m")),
            (None, r#"{"__type":"com.amazon.coral#B","message":"m"}"#, Some("B"), Some("m")),
            (None, r#"{"code":"C","Message":"m"}"#, Some("C"), Some("m")),
            (None, r#"{"Type":null,"message":null}"#, None, None),
            (
                None,
                &format!(
                    "{xml}<Errors><Error><Code>D</Code><Message>a &amp; b</Message></Error></Errors></ErrorResponse>"
                ),
                Some("D"),
                Some("a & b"),
            ),
            (
                None,
                &format!("{xml}<Error><Code>E</Code><Message>m</Message></Error></ErrorResponse>"),
                Some("E"),
                Some("m"),
            ),
            (None, "404 page not found\n", None, Some("404 page not found")),
            (None, "<html><body>502</body></html>", None, Some("<html><body>502</body></html>")),
            (None, "[1, 2]", None, Some("[1, 2]")),
            (None, "", None, None),
        ] {
            assert_eq!(read(header, body), (code.map(Into::into), message.map(Into::into)), "{header:?} {body}");
        }
    }

    #[test]
    fn a_body_that_is_no_text_is_no_obstacle() {
        let error = ServiceError::read(&HeaderMap::new(), &[0xff, 0xfe, 0, 1]);
        assert_eq!(error.code, None);
        assert!(error.message.is_some());
    }

    #[test]
    fn seconds_to_wait_come_as_numbers_strings_and_dates() {
        for body in [r#"{"retryAfterSeconds":"7"}"#, r#"{"retryAfterSeconds":7}"#] {
            assert_eq!(
                ServiceError::read(&HeaderMap::new(), body.as_bytes()).retry_after,
                Some(Duration::from_secs(7))
            );
        }
        let header = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", value.parse().unwrap());
            retry_after(&headers)
        };
        assert_eq!(header("3"), Some(Duration::from_secs(3)));
        let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(100));
        let wait = header(&date).unwrap().as_secs();
        assert!((97..=100).contains(&wait), "{wait}");
        assert_eq!(header("Thu, 01 Jan 1970 00:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(header("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(header("soon"), None);
    }
}
