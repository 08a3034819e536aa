//! The error response of the service: code, message and reason, from wherever they stand.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{HeaderName, RETRY_AFTER};
use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;

use crate::response::json_text;
use crate::server_text::ServerText;
use crate::status::Execution;

const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// Every error of Invoke in the service model: whether the function ran, and whether another attempt is safe and of use.
/// Source: AWS's service model and the documentation of each error. EFSIOException and ServiceException leave it open: an
/// earlier handler may have been running.
pub(super) const MODELLED: &[(&str, Execution, bool)] = &[
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

/// The session token has expired. Source: the common errors of AWS's query and JSON protocols.
const EXPIRED_TOKEN: &[&str] = &["ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired"];

/// AWS's throttling codes that are not in the model; they count with any 4xx.
const THROTTLING: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestLimitExceeded",
    "SlowDown",
];

/// The clock that the request was signed with is certainly wrong.
const CLOCK: &[&str] = &["RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"];

/// The clock that the request was signed with may be wrong; the Date of the response shows it.
const SIGNATURE: &[&str] = &["InvalidSignatureException", "SignatureDoesNotMatch", "AuthFailure"];

/// Lambda's messages about a clock begin with these.
const CLOCK_MESSAGES: &[&str] = &["Signature expired", "Signature not yet current"];

/// A clock that is off by less is not what the service complains of.
const CERTAINLY_OFF: Duration = Duration::from_secs(30);
const PERHAPS_OFF: Duration = Duration::from_secs(240);

/// As much of an error that is neither JSON nor XML as a message repeats.
const EXCERPT_CHARACTERS: usize = 200;

/// The JSON fields of an error; the code may stand in any of the first three.
const FIELDS: [&str; 7] = ["__type", "code", "Code", "message", "Message", "Reason", "retryAfterSeconds"];

/// An error response, read.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ServiceError {
    /// Without namespace and suffix; the first of those that the response names.
    pub(crate) code: Option<String>,
    /// Those that it names elsewhere.
    other_codes: Vec<String>,
    pub(crate) message: Option<String>,
    /// Why a call was throttled.
    pub(crate) reason: Option<String>,
    /// From the body; the header goes before it.
    pub(crate) retry_after: Option<Duration>,
}

impl ServiceError {
    /// Reads the code from x-amzn-ErrorType, else from the body; the rest from the body, which is JSON, XML or plain text
    /// and may be cut.
    pub(crate) fn read(headers: &HeaderMap, body: &[u8]) -> Self {
        let body = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
        let mut error = Self::from_json(body).or_else(|| Self::from_xml(body)).unwrap_or_else(|| Self::from_text(body));
        let in_head = headers.get_all(ERROR_TYPE).iter();
        let in_head = in_head.filter_map(|value| bare_code(&ServerText::of_bytes(value.as_bytes())));
        let in_body = error.code.take().into_iter().chain(std::mem::take(&mut error.other_codes));
        let mut codes = in_head.chain(in_body);
        error.code = codes.next();
        error.other_codes = codes.collect();
        error
    }

    fn from_json(body: &[u8]) -> Option<Self> {
        let found = json_text::find(body, FIELDS)?;
        let [kind, lower_code, code, lower_message, message, reason, seconds] = found.values;
        let codes = [kind, lower_code, code].into_iter().flatten();
        let mut codes = codes.filter_map(|value| bare_code(&json_text::string_text(value)?));
        let mut error = Self {
            code: codes.next(),
            other_codes: codes.collect(),
            message: lower_message.and_then(json_text::text).or_else(|| message.and_then(json_text::text)),
            reason: reason.and_then(json_text::text),
            retry_after: seconds
                .and_then(json_text::text)
                .and_then(|seconds| seconds.parse().ok())
                .map(Duration::from_secs),
        };
        // What is neither whole nor says anything is shown as it is.
        if !found.is_whole && error.code.is_none() && error.message.is_none() {
            error.message = Self::from_text(body).message;
        }
        Some(error)
    }

    /// Reads the first Code and the first Message, wherever they stand.
    fn from_xml(body: &[u8]) -> Option<Self> {
        if !body.trim_ascii_start().starts_with(b"<") {
            return None;
        }
        let document = String::from_utf8_lossy(body);
        let mut reader = Reader::from_str(&document);
        let config = reader.config_mut();
        // HTML and what was cut say what they say up to the fault.
        (config.check_end_names, config.allow_unmatched_ends, config.allow_dangling_amp) = (false, true, true);
        let mut texts = [const { None::<String> }; 2];
        let mut inside: Option<(usize, ServerText)> = None;
        while let Ok(event) = reader.read_event() {
            match (event, &mut inside) {
                (Event::Eof, _) => break,
                (Event::Start(tag), open) => {
                    let at = ["Code", "Message"].iter().position(|name| tag.local_name().as_ref() == *name);
                    *open = at.filter(|at| texts[*at].is_none()).map(|at| (at, ServerText::default()));
                }
                (Event::Text(text), Some((_, open))) => open.push_bytes(text.as_bytes()),
                (Event::CData(text), Some((_, open))) => open.push_bytes(text.as_bytes()),
                (Event::GeneralRef(reference), Some((_, open))) => match reference.resolve_char_ref() {
                    Ok(Some(character)) => open.push(character),
                    _ => match resolve_xml_entity(&reference) {
                        Some(text) => open.push_bytes(text.as_bytes()),
                        None => open.push_bytes(format!("&{};", &*reference).as_bytes()),
                    },
                },
                (Event::End(_), open) => {
                    if let Some((at, text)) = open.take() {
                        texts[at] = Some(text.finish().trim().to_owned());
                    }
                }
                _ => {}
            }
        }
        let [code, message] = texts;
        let code = code.as_deref().and_then(bare_code);
        (code.is_some() || message.is_some()).then_some(Self { code, message, ..Self::default() })
    }

    fn from_text(body: &[u8]) -> Self {
        let excerpt: String = ServerText::of_bytes(body.trim_ascii()).chars().take(EXCERPT_CHARACTERS).collect();
        Self { message: (!excerpt.is_empty()).then_some(excerpt), ..Self::default() }
    }

    fn has_code(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// Looks the code up in the service model: whether the function ran, and whether another attempt is safe.
    pub(crate) fn modelled(&self) -> Option<(Execution, bool)> {
        modelled(self.code.as_deref()?)
    }

    /// Looks the other codes up in the service model, and returns the most cautious execution.
    pub(crate) fn modelled_elsewhere(&self) -> Option<Execution> {
        let others = self.other_codes.iter().filter(|code| Some(*code) != self.code.as_ref());
        others.filter_map(|code| modelled(code)).map(|(execution, _)| execution).max()
    }

    pub(crate) fn is_throttling(&self) -> bool {
        self.has_code(THROTTLING)
    }

    pub(crate) fn is_expired_token(&self) -> bool {
        self.has_code(EXPIRED_TOKEN)
    }

    /// Returns how far off the clock must be for this error to be about it; `None`: it is about something else.
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

fn modelled(code: &str) -> Option<(Execution, bool)> {
    MODELLED.iter().find(|(known, ..)| *known == code).map(|(_, execution, again)| (*execution, *again))
}

/// Reads Retry-After, which is a number of seconds or a date. `now` returns the time at the server.
pub(crate) fn retry_after(headers: &HeaderMap, now: impl Fn() -> SystemTime) -> Option<Duration> {
    let values = headers.get_all(RETRY_AFTER).iter();
    values.filter_map(|value| value.to_str().ok()).find_map(|value| {
        let value = value.trim();
        if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
            // A number that is too long to count is a very long time.
            return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
        }
        let until = httpdate::parse_http_date(value).ok()?;
        Some(until.duration_since(now()).unwrap_or_default())
    })
}

/// Takes `Code` out of `namespace#Code:suffix`.
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
            (None, r#"{"message":"bad \ud83d here","code":"F"}"#, Some("F"), Some("bad \u{fffd} here")),
            (None, r#"{"message":{"text":"nested"},"code":404}"#, None, Some(r#"{"text":"nested"}"#)),
            (None, r#"{"Message":"one\r\ntwo"}"#, None, Some("one two")),
            (None, r#"{"__type":"G","message":"cu"#, Some("G"), None),
            (None, r#"{"message":"kept","__type":"cu"#, None, Some("kept")),
            (None, r#"{"cu"#, None, Some(r#"{"cu"#)),
            (None, "{{ a template }}", None, Some("{{ a template }}")),
            (
                None,
                "<E><Code>H</Code><Message>two\nlines &#65;&lt;&unknown; <![CDATA[<b>]]></Message>",
                Some("H"),
                Some("two lines A<&unknown; <b>"),
            ),
            (None, "<E><Message>m</Message><Code>cu", None, Some("m")),
            (None, "<x:E xmlns:x=\"u\"><x:Code>I</x:Code></x:E>", Some("I"), None),
            (None, "404 page not found\n", None, Some("404 page not found")),
            (None, "<html><body>502</body></html>", None, Some("<html><body>502</body></html>")),
            (None, "\u{feff}{\"__type\":\"J\"}", Some("J"), None),
            (None, "\u{feff}<E><Code>K</Code></E>", Some("K"), None),
            (None, "[1, 2]", None, Some("[1, 2]")),
            (None, "", None, None),
        ] {
            assert_eq!(read(header, body), (code.map(Into::into), message.map(Into::into)), "{header:?} {body}");
        }
    }

    #[test]
    fn a_body_that_is_not_text_still_gives_a_message() {
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
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let header = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", value.parse().unwrap());
            retry_after(&headers, || now)
        };
        assert_eq!(header("3"), Some(Duration::from_secs(3)));
        let date = httpdate::fmt_http_date(now + Duration::from_secs(100));
        assert_eq!(header(&date), Some(Duration::from_secs(100)));
        assert_eq!(header("Thu, 01 Jan 1970 00:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(header("99999999999999999999999"), Some(Duration::from_secs(u64::MAX)));
        assert_eq!(header("soon"), None);
    }

    #[test]
    fn the_first_error_type_that_is_not_empty_counts() {
        let mut headers = HeaderMap::new();
        for value in ["", ":", "A:http://x/", "B"] {
            headers.append(ERROR_TYPE, value.parse().unwrap());
        }
        let error = ServiceError::read(&headers, br#"{"__type":"C"}"#);
        assert_eq!((error.code.as_deref(), error.other_codes), (Some("A"), vec!["B".to_owned(), "C".to_owned()]));
    }

    #[test]
    fn hostile_xml_takes_linear_time() {
        let attributes = format!("<E {}>", (0..100_000).map(|n| format!("a{n}=\"\" ")).collect::<String>());
        let namespaces = format!("<E {}>", (0..36_000).map(|n| format!("xmlns:n{n}=\"u\" ")).collect::<String>());
        for document in [
            attributes,
            namespaces,
            "<E>".repeat(500_000),
            "<Code>&amp;".repeat(200_000),
            "</E>".repeat(500_000),
            "<!--".repeat(500_000),
            "<![CDATA[".repeat(200_000),
            format!("<!DOCTYPE E [{}", "<!ENTITY a \"&b;\">".repeat(100_000)),
            format!("<Message>{}", "&#65;".repeat(400_000)),
            "<".repeat(2_000_000),
        ] {
            // A busy machine takes seconds; what is not linear takes minutes.
            let started = std::time::Instant::now();
            let error = ServiceError::read(&HeaderMap::new(), document.as_bytes());
            assert!(started.elapsed() < Duration::from_secs(30), "{:.20}: {:?}", document, started.elapsed());
            assert_eq!(error.code, None);
        }
    }

    #[test]
    fn no_document_is_too_odd() {
        const PARTS: [&[u8]; 44] = [
            b"{",
            b"}",
            b"[",
            b"]",
            b"\"",
            b"\\",
            b"\\u",
            b"d83d",
            b":",
            b",",
            b"__type",
            b"code",
            b"message",
            b"null",
            b"1e9",
            b"<",
            b">",
            b"</",
            b"/>",
            b"<!--",
            b"-->",
            b"<![CDATA[",
            b"]]>",
            b"<?",
            b"?>",
            b"<!DOCTYPE",
            b"&",
            b"&#",
            b"&#x",
            b";",
            b"=",
            b"'",
            b"Code",
            b"Message",
            b"<Code>",
            b"</Code>",
            b"<Message>",
            b"EFSIOException",
            b"\xff",
            b"\xc3",
            b"\0",
            b"\xef\xbb\xbf",
            b" ",
            b"\n",
        ];
        let mut random = fastrand::Rng::with_seed(11);
        for _ in 0..100_000 {
            let start: &[u8] =
                random.choice([&b"{\""[..], b"<", b"", b"\xef\xbb\xbf{", b"<E><Code>"]).unwrap_or_default();
            let mut body = start.to_vec();
            for _ in 0..random.usize(..24) {
                body.extend_from_slice(PARTS[random.usize(..PARTS.len())]);
            }
            let error = ServiceError::read(&HeaderMap::new(), &body);
            let texts = error.code.iter().chain(&error.message).chain(&error.reason).chain(&error.other_codes);
            for text in texts {
                assert!(!text.contains(char::is_control), "{}: {text:?}", body.escape_ascii());
            }
        }
    }
}
