//! What a response says: the rows of "Did it run?" for attempts that got the head of one.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, TRANSFER_ENCODING};

use crate::http::transport::Limit;
use crate::outcome::Outcome;
use crate::response::classification::{Classification, RetryHint};
use crate::response::json_text;
use crate::response::service_error::{self, ServiceError};
use crate::server_text::ServerText;
use crate::status::{Execution, Status};

/// Decodes what servers send, with padding or without.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const FUNCTION_ERROR: HeaderName = HeaderName::from_static("x-amz-function-error");
const LOG_RESULT: HeaderName = HeaderName::from_static("x-amz-log-result");
const EXECUTED_VERSION: HeaderName = HeaderName::from_static("x-amz-executed-version");
const DURABLE_EXECUTION_ARN: HeaderName = HeaderName::from_static("x-amz-durable-execution-arn");

const REQUEST_TIMEOUT: u16 = 408;
const TOO_MANY_REQUESTS: u16 = 429;

/// As much of an error's document as is read.
const MAX_ERROR_BYTES: u64 = 64 * 1024;

/// The head of a response.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    circumstances: Circumstances,
    meaning: Meaning,
}

/// What a response is classified by beside itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    /// See [`Endpoint::resolved_here`](crate::config::endpoint::Endpoint::resolved_here).
    pub(crate) resolved_here: bool,
    /// TLS tells the end of a response from a connection that broke.
    pub(crate) over_tls: bool,
    /// Of InvokeWithResponseStream, and not of Invoke.
    pub(crate) is_streamed: bool,
    /// When the head came, by the client's clock.
    pub(crate) received: SystemTime,
}

/// What a head says by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The function ran.
    Ran,
    /// Lambda took the event.
    Queued,
    /// The dry run found nothing wrong.
    DryRun,
    /// An error of the service, which its body may explain.
    Error,
    /// Not a response of this API; why.
    Unexpected(&'static str),
}

/// What came behind the head.
#[derive(Debug)]
pub(crate) enum Body {
    Complete(Vec<u8>),
    /// As far as it came, the status of a call that needed all of it, and why it did not come to its end.
    Broken {
        partial: Vec<u8>,
        status: Status,
        why: String,
    },
}

impl Body {
    /// Changes the bytes.
    pub(crate) fn map(self, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Self {
        match self {
            Self::Complete(bytes) => Self::Complete(change(bytes)),
            Self::Broken { partial, status, why } => Self::Broken { partial: change(partial), status, why },
        }
    }
}

impl Head {
    /// Classifies a head before its body is read; the first row that fits decides.
    pub(crate) fn classify(status: u16, headers: HeaderMap, circumstances: Circumstances) -> Self {
        let meaning = match status {
            200..=299 if circumstances.resolved_here && first_text(&headers, &REQUEST_ID).is_none() => {
                Meaning::Unexpected(
                    "a response without x-amzn-RequestId: something between here and Lambda responded in its place, such \
                     as a captive portal or a proxy",
                )
            }
            200 => Meaning::Ran,
            202 if !circumstances.is_streamed => Meaning::Queued,
            204 => Meaning::DryRun,
            400.. => Meaning::Error,
            101 => Meaning::Unexpected("a change of protocol that was not asked for"),
            300..=399 => Meaning::Unexpected("a redirect, which is not followed; check the endpoint"),
            _ => Meaning::Unexpected("a status that Invoke does not have"),
        };
        Self { status, headers, circumstances, meaning }
    }

    /// Returns how much of the body to read; `None`: the body changes nothing.
    pub(crate) fn body_limit(&self, max_response_bytes: u64) -> Option<Limit> {
        match self.meaning {
            Meaning::Ran => Some(Limit { bytes: max_response_bytes, longer_is_refused: true }),
            Meaning::Error => Some(Limit { bytes: MAX_ERROR_BYTES, longer_is_refused: false }),
            Meaning::Queued | Meaning::DryRun | Meaning::Unexpected(_) => None,
        }
    }

    /// Names the setting that limits the body, if one does, in the way of a message.
    pub(crate) fn limit_name(&self) -> &'static str {
        if self.is_error() { "" } else { "max_response_bytes, " }
    }

    pub(crate) fn is_error(&self) -> bool {
        self.meaning == Meaning::Error
    }

    /// Returns whether the body is a stream of events.
    pub(crate) fn is_stream(&self) -> bool {
        self.circumstances.is_streamed && self.meaning == Meaning::Ran
    }

    pub(crate) fn function_error(&self) -> Option<String> {
        first_text(&self.headers, &FUNCTION_ERROR)
    }

    pub(crate) fn request_id(&self) -> Option<String> {
        first_text(&self.headers, &REQUEST_ID)
    }

    /// Classifies the attempt, now that the body has been read as far as it matters.
    pub(crate) fn conclude(&self, body: Body) -> Classification {
        let mut classification = match self.meaning {
            Meaning::Ran => self.conclude_run(body),
            Meaning::Queued => Classification::end(Outcome::empty(Status::Ok, Execution::Queued)),
            Meaning::DryRun => Classification::end(Outcome::empty(Status::Ok, Execution::None)),
            Meaning::Error => self.conclude_error(body),
            Meaning::Unexpected(what) => {
                let message = format!("HTTP {}: {what}", self.status);
                Classification::end(Outcome::without_response(Status::Protocol, Execution::Unknown, message))
            }
        };
        self.complete(&mut classification.outcome);
        classification
    }

    /// Adds what an outcome has of the head whatever it is.
    pub(crate) fn complete(&self, outcome: &mut Outcome) {
        let text = |name: HeaderName| first_text(&self.headers, &name);
        outcome.http_status = self.status;
        outcome.request_id = self.request_id();
        outcome.executed_version = text(EXECUTED_VERSION);
        outcome.durable_execution_arn = text(DURABLE_EXECUTION_ARN);
        outcome.content_type = text(CONTENT_TYPE);
        outcome.retry_after = outcome.retry_after.or_else(|| self.retry_after());
    }

    /// Classifies a 200: the function ran.
    fn conclude_run(&self, body: Body) -> Classification {
        let mut outcome = Outcome::empty(Status::Ok, Execution::Ran);
        outcome.log = self.log();
        outcome.function_error = self.function_error();
        match (&outcome.function_error, body) {
            (None, Body::Complete(payload)) => outcome.payload = payload,
            (_, Body::Broken { status, why, .. }) if self.circumstances.is_streamed => {
                outcome.status = status;
                outcome.error_message = Some(format!("the function ran, but the rest of its response was lost: {why}"));
            }
            (None, Body::Broken { status, why, .. }) => {
                outcome.status = status;
                outcome.error_message = Some(format!("the function ran, but its response was lost: {why}"));
            }
            (Some(kind), body) => {
                let (payload, lost) = match body {
                    Body::Complete(payload) => (payload, None),
                    Body::Broken { partial, why, .. } => (partial, Some(why)),
                };
                outcome.status = Status::FunctionError;
                let found = json_text::find(&payload, ["errorType", "errorMessage"]);
                let [kind_of_error, message] = found.map(|found| found.values).unwrap_or_default();
                outcome.error_type = kind_of_error.and_then(json_text::string_text);
                outcome.error_message = message.and_then(json_text::text);
                outcome.error_message.get_or_insert_with(|| match &lost {
                    None => format!("the function failed ({kind}) and its payload has no errorMessage"),
                    Some(why) => format!("the function failed ({kind}), but its payload was lost: {why}"),
                });
                if lost.is_none() {
                    outcome.payload = payload;
                }
            }
        }
        Classification::end(outcome)
    }

    fn conclude_error(&self, body: Body) -> Classification {
        let (text, lost) = match body {
            Body::Complete(text) => (text, None),
            Body::Broken { partial, why, .. } => (partial, Some(why)),
        };
        let error = ServiceError::read(&self.headers, &text);
        let is_whole = lost.is_none() && self.has_certain_end() && !self.is_encoded();
        let (status, execution, again) = self.classify_error(&error, is_whole);
        let mut outcome = Outcome::empty(status, execution);
        outcome.error_message = Some(match (error.message, lost) {
            (Some(message), None) => message,
            (Some(message), Some(why)) => format!("{message} (the rest of the response was lost: {why})"),
            (None, None) => format!("HTTP {} without a message", self.status),
            (None, Some(why)) => format!("HTTP {}, its message was lost: {why}", self.status),
        });
        outcome.error_type = error.code;
        outcome.throttle_reason = error.reason;
        // The header goes before the body's field.
        outcome.retry_after = self.retry_after().or(error.retry_after);
        Classification { outcome, again }
    }

    fn classify_error(&self, error: &ServiceError, is_whole: bool) -> (Status, Execution, RetryHint) {
        let (status, execution, again) = self.classify_code(error);
        if !is_whole && error.code.is_none() && self.status != TOO_MANY_REQUESTS {
            // What did not come may have been a code that leaves it open.
            return (status, Execution::Unknown, RetryHint::No);
        }
        match error.modelled_elsewhere() {
            // The response contradicts itself: the more cautious code counts.
            Some(other) => (status, execution.max(other), RetryHint::No),
            None => (status, execution, again),
        }
    }

    fn classify_code(&self, error: &ServiceError) -> (Status, Execution, RetryHint) {
        let safe = |safe: bool| if safe { RetryHint::Safe { connect_timeout: false } } else { RetryHint::No };
        let is_client_error = (400..500).contains(&self.status);
        if let Some((execution, again)) = error.modelled() {
            let status = if self.status == TOO_MANY_REQUESTS { Status::Throttled } else { Status::Service };
            return (status, execution, safe(again));
        }
        if self.status == TOO_MANY_REQUESTS || (is_client_error && error.is_throttling()) {
            return (Status::Throttled, Execution::None, safe(true));
        }
        if is_client_error && self.status != REQUEST_TIMEOUT && first_text(&self.headers, &FUNCTION_ERROR).is_none() {
            let again = match (error.clock_tolerance(), self.date()) {
                _ if error.is_expired_token() => RetryHint::WithNewCredentials,
                (Some(tolerance), Some(date)) => RetryHint::WithClockSet { date, tolerance },
                _ => RetryHint::No,
            };
            return (Status::Service, Execution::None, again);
        }
        (Status::Service, Execution::Unknown, RetryHint::No)
    }

    /// Returns whether a body that seems complete certainly is. One without a length and without chunks ends with its connection,
    /// and without TLS nothing tells its end from a connection that broke.
    pub(crate) fn has_certain_end(&self) -> bool {
        let is_framed = [CONTENT_LENGTH, TRANSFER_ENCODING].iter().any(|name| self.headers.contains_key(name));
        is_framed || self.circumstances.over_tls
    }

    /// Returns whether the body is compressed, which was not asked for, so that no code can be read from it.
    fn is_encoded(&self) -> bool {
        first_text(&self.headers, &CONTENT_ENCODING).is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity"))
    }

    /// Decodes the tail of the log.
    pub(crate) fn log(&self) -> Option<Vec<u8>> {
        let values = self.headers.get_all(LOG_RESULT);
        let sent = values.iter().find(|value| !value.is_empty()).or(values.iter().next())?;
        decoded_log(sent.as_bytes())
    }

    fn date(&self) -> Option<SystemTime> {
        httpdate::parse_http_date(self.headers.get(DATE)?.to_str().ok()?).ok()
    }

    /// Returns how long the response asks to wait. A date is compared with the response's own clock.
    fn retry_after(&self) -> Option<Duration> {
        service_error::retry_after(&self.headers, || self.date().unwrap_or(self.circumstances.received))
    }
}

/// Decodes the tail of a log. A log that cannot be decoded is lost, the call is not.
pub(crate) fn decoded_log(sent: &[u8]) -> Option<Vec<u8>> {
    // A line that was folded has spaces in it.
    let mut base64 = Vec::new();
    base64.try_reserve_exact(sent.len()).ok()?;
    base64.extend(sent.iter().filter(|byte| !byte.is_ascii_whitespace()));
    let mut log = Vec::new();
    log.try_reserve_exact(base64::decoded_len_estimate(base64.len()) + 1).ok()?;
    LENIENT.decode_vec(base64, &mut log).ok()?;
    Some(log)
}

/// Reads the first value of a header that is not empty.
fn first_text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get_all(name).iter().map(|value| ServerText::of_bytes(value.as_bytes())).find(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(status: u16, named: &[(&'static str, &str)]) -> Head {
        let mut headers = HeaderMap::new();
        for (name, value) in named {
            headers.append(*name, value.parse().unwrap());
        }
        Head::classify(status, headers, CIRCUMSTANCES)
    }

    fn classify(status: u16, headers: &[(&'static str, &str)], body: &str) -> Classification {
        head(status, headers).conclude(Body::Complete(body.as_bytes().to_vec()))
    }

    const CIRCUMSTANCES: Circumstances =
        Circumstances { resolved_here: false, over_tls: true, is_streamed: false, received: SystemTime::UNIX_EPOCH };

    fn cut() -> Body {
        Body::Broken { partial: Vec::new(), status: Status::Io, why: "cut".into() }
    }

    const SAFE: RetryHint = RetryHint::Safe { connect_timeout: false };
    type Row = (u16, &'static [(&'static str, &'static str)], &'static str, Status, Execution, RetryHint);

    #[test]
    fn did_it_run_by_the_head_of_the_response() {
        use Execution::{None, Queued, Ran, Unknown};
        let rows: &[Row] = &[
            (200, &[], "1", Status::Ok, Ran, RetryHint::No),
            (200, &[("x-amz-function-error", "Unhandled")], "1", Status::FunctionError, Ran, RetryHint::No),
            (200, &[("x-amz-function-error", "Brand-New")], "1", Status::FunctionError, Ran, RetryHint::No),
            (200, &[("x-amz-function-error", "")], "1", Status::Ok, Ran, RetryHint::No),
            (202, &[("x-amz-function-error", "Unhandled")], "x", Status::Ok, Queued, RetryHint::No),
            (204, &[], "", Status::Ok, None, RetryHint::No),
            (101, &[], "", Status::Protocol, Unknown, RetryHint::No),
            (201, &[], "", Status::Protocol, Unknown, RetryHint::No),
            (307, &[("location", "http://x/")], "", Status::Protocol, Unknown, RetryHint::No),
            (404, &[("x-amzn-errortype", "ResourceNotFoundException")], "", Status::Service, None, RetryHint::No),
            (408, &[("x-amzn-errortype", "EFSMountTimeoutException")], "", Status::Service, None, SAFE),
            (409, &[("x-amzn-errortype", "SnapStartNotReadyException")], "", Status::Service, None, SAFE),
            (410, &[("x-amzn-errortype", "EFSIOException")], "", Status::Service, Unknown, RetryHint::No),
            (500, &[("x-amzn-errortype", "ServiceException")], "", Status::Service, Unknown, RetryHint::No),
            (502, &[("x-amzn-errortype", "EC2ThrottledException")], "", Status::Service, None, SAFE),
            (502, &[("x-amzn-errortype", "InvalidRuntimeException")], "", Status::Service, None, RetryHint::No),
            (502, &[], r#"{"__type":"ENINotReadyException"}"#, Status::Service, None, SAFE),
            (429, &[("x-amzn-errortype", "TooManyRequestsException")], "", Status::Throttled, None, SAFE),
            (429, &[], "slow", Status::Throttled, None, SAFE),
            (400, &[("x-amzn-errortype", "ThrottlingException")], "", Status::Throttled, None, SAFE),
            (503, &[("x-amzn-errortype", "ThrottlingException")], "", Status::Service, Unknown, RetryHint::No),
            (403, &[("x-amzn-errortype", "AccessDeniedException")], "", Status::Service, None, RetryHint::No),
            (
                403,
                &[("x-amzn-errortype", "ExpiredTokenException")],
                "",
                Status::Service,
                None,
                RetryHint::WithNewCredentials,
            ),
            (
                200,
                &[("x-amz-function-error", ""), ("x-amz-function-error", "Unhandled")],
                "1",
                Status::FunctionError,
                Ran,
                RetryHint::No,
            ),
            (400, &[("x-amz-function-error", "Unhandled")], "", Status::Service, Unknown, RetryHint::No),
            (
                400,
                &[("x-amz-function-error", ""), ("x-amz-function-error", "X")],
                "",
                Status::Service,
                Unknown,
                RetryHint::No,
            ),
            (
                404,
                &[("x-amzn-errortype", "ResourceNotFoundException")],
                r#"{"__type":"EFSIOException"}"#,
                Status::Service,
                Unknown,
                RetryHint::No,
            ),
            (
                410,
                &[("x-amzn-errortype", "EFSIOException")],
                r#"{"__type":"ResourceNotFoundException"}"#,
                Status::Service,
                Unknown,
                RetryHint::No,
            ),
            (
                404,
                &[("x-amzn-errortype", "Unheard-Of")],
                r#"{"code":"ServiceException"}"#,
                Status::Service,
                Unknown,
                RetryHint::No,
            ),
            (502, &[("x-amzn-errortype", "ENINotReadyException")], r#"{"code":"502"}"#, Status::Service, None, SAFE),
            (
                502,
                &[("x-amzn-errortype", "ENINotReadyException")],
                r#"{"code":"EC2ThrottledException"}"#,
                Status::Service,
                None,
                RetryHint::No,
            ),
            (
                502,
                &[("x-amzn-errortype", "ENINotReadyException")],
                r#"{"__type":"a#ENINotReadyException"}"#,
                Status::Service,
                None,
                SAFE,
            ),
            (
                429,
                &[("x-amzn-errortype", "TooManyRequestsException")],
                r#"{"__type":"ServiceException"}"#,
                Status::Throttled,
                Unknown,
                RetryHint::No,
            ),
            (
                409,
                &[],
                r#"{"__type":"SnapStartNotReadyException","code":"EFSIOException"}"#,
                Status::Service,
                Unknown,
                RetryHint::No,
            ),
            (408, &[], "", Status::Service, Unknown, RetryHint::No),
            (500, &[], "", Status::Service, Unknown, RetryHint::No),
            (503, &[], "busy", Status::Service, Unknown, RetryHint::No),
            (599, &[], "", Status::Service, Unknown, RetryHint::No),
        ];
        for (status, headers, body, expected, execution, again) in rows {
            let classification = classify(*status, headers, body);
            let outcome = &classification.outcome;
            let got = (outcome.status, outcome.execution, classification.again, outcome.http_status);
            assert_eq!(got, (*expected, *execution, *again, *status), "{status} {headers:?} {body}");
            assert_eq!(outcome.error_message.is_none(), *expected == Status::Ok, "{status} {headers:?}");
            assert_eq!(outcome.payload.is_empty(), *status != 200, "{status} {headers:?}");
        }
    }

    #[test]
    fn a_long_text_is_bounded_and_the_payload_is_whole() {
        let long = "x".repeat(30_000_000);
        let payload = format!(r#"{{"errorMessage":"{long}","errorType":"{long}"}}"#);
        let outcome = classify(200, &[("x-amz-function-error", "Unhandled")], &payload).outcome;
        for text in [outcome.error_message, outcome.error_type] {
            let text = text.unwrap();
            assert!((60_000..=65_536).contains(&text.len()) && text.starts_with("xxx"), "{}", text.len());
        }
        assert_eq!(outcome.payload.len(), payload.len());
    }

    #[test]
    fn a_response_that_is_not_lambdas_is_unexpected() {
        for status in [200, 202, 204] {
            let concluded = |headers| {
                let circumstances = Circumstances { resolved_here: true, ..CIRCUMSTANCES };
                Head::classify(status, headers, circumstances).conclude(Body::Complete(Vec::new())).outcome
            };
            let outcome = concluded(HeaderMap::new());
            assert_eq!((outcome.status, outcome.execution), (Status::Protocol, Execution::Unknown));
            let outcome = concluded(HeaderMap::from_iter([(REQUEST_ID, "id".parse().unwrap())]));
            assert_eq!(outcome.status, Status::Ok);
        }
    }

    #[test]
    fn a_function_ran_although_its_body_was_lost() {
        let classification = head(200, &[]).conclude(cut());
        assert_eq!((classification.outcome.status, classification.outcome.execution), (Status::Io, Execution::Ran));
        let classification = head(200, &[("x-amz-function-error", "Unhandled")]).conclude(cut());
        assert_eq!(
            (classification.outcome.status, classification.outcome.execution),
            (Status::FunctionError, Execution::Ran)
        );
        let classification = head(202, &[]).conclude(cut());
        assert_eq!((classification.outcome.status, classification.outcome.execution), (Status::Ok, Execution::Queued));
        let classification = head(404, &[("x-amzn-errortype", "ResourceNotFoundException")]).conclude(cut());
        assert_eq!(
            (classification.outcome.status, classification.outcome.execution),
            (Status::Service, Execution::None)
        );
        assert!(classification.outcome.error_message.unwrap().contains("cut"));
    }

    #[test]
    fn an_error_that_is_compressed_leaves_it_open() {
        for (headers, body, execution) in [
            (&[("content-encoding", "gzip")][..], "\u{1f}\u{8b}", Execution::Unknown),
            (&[("content-encoding", "Identity")], "gone", Execution::None),
            (&[], r#"{"message":"what went wrong"}"#, Execution::None),
            (&[], "404 page not found", Execution::None),
        ] {
            assert_eq!(classify(404, headers, body).outcome.execution, execution, "{headers:?} {body}");
        }
    }

    /// A modelled error's body in every form that servers use.
    fn error_bodies(code: &str) -> [String; 5] {
        [
            format!(r#"{{"Type":"User","message":"what went wrong","__type":"{code}"}}"#),
            format!(r#"{{"__type":"com.amazonaws.lambda#{code}","Message":"what went wrong"}}"#),
            format!(r#"{{"message":{{"a":["{{\"","}}"]}},"code" : "{code}:http://x/" }}"#),
            format!("<ErrorResponse><Error><Code>{code}</Code><Message>m</Message></Error></ErrorResponse>"),
            format!("<E><Errors><Error><Message>m</Message><Code>{code}</Code></Error></Errors></E>"),
        ]
    }

    #[test]
    fn an_error_that_was_cut_anywhere_never_claims_less_than_when_whole() {
        let plain = Circumstances { over_tls: false, ..CIRCUMSTANCES };
        for (code, execution, _) in service_error::MODELLED {
            for (status, body) in
                [400, 404, 408, 410, 413, 499, 500, 502].into_iter().zip(error_bodies(code).iter().cycle())
            {
                for length in 0..=body.len() {
                    let partial = body.as_bytes()[..length].to_vec();
                    let broken = |status| Body::Broken { partial: partial.clone(), status, why: "cut".into() };
                    for (what, head, came) in [
                        ("broke off", head(status, &[("content-length", "500")]), broken(Status::Io)),
                        ("stalled", head(status, &[]), broken(Status::Timeout)),
                        ("too long", head(status, &[]), broken(Status::TooLarge)),
                        (
                            "no end to see",
                            Head::classify(status, HeaderMap::new(), plain),
                            Body::Complete(partial.clone()),
                        ),
                    ] {
                        let got = head.conclude(came).outcome.execution;
                        assert!(got >= *execution, "{status} {what}: {}", &body[..length]);
                        if length == body.len() {
                            assert_eq!(got, *execution, "{status} {what}: {body}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_head_alone_decides_where_it_can() {
        for (status, headers, execution, again) in [
            (429, &[][..], Execution::None, SAFE),
            (404, &[("x-amzn-errortype", "ResourceNotFoundException")], Execution::None, RetryHint::No),
            (403, &[("x-amzn-errortype", "AccessDeniedException")], Execution::None, RetryHint::No),
            (502, &[("x-amzn-errortype", "ENINotReadyException")], Execution::None, SAFE),
            (404, &[], Execution::Unknown, RetryHint::No),
            (404, &[("x-amzn-errortype", "")], Execution::Unknown, RetryHint::No),
            (404, &[("content-encoding", "gzip")], Execution::Unknown, RetryHint::No),
        ] {
            let classification = head(status, headers).conclude(cut());
            assert_eq!(
                (classification.outcome.execution, classification.again),
                (execution, again),
                "{status} {headers:?}"
            );
        }
    }

    #[test]
    fn a_date_to_wait_for_is_compared_with_the_responses_own_clock() {
        let fast = CIRCUMSTANCES.received + Duration::from_secs(3_600);
        for (date, received) in [(Some(CIRCUMSTANCES.received), fast), (None, CIRCUMSTANCES.received)] {
            let until = httpdate::fmt_http_date(CIRCUMSTANCES.received + Duration::from_secs(3));
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", until.parse().unwrap());
            if let Some(date) = date {
                headers.insert(DATE, httpdate::fmt_http_date(date).parse().unwrap());
            }
            let head = Head::classify(429, headers, Circumstances { received, ..CIRCUMSTANCES });
            let outcome = head.conclude(Body::Complete(Vec::new())).outcome;
            assert_eq!(outcome.retry_after, Some(Duration::from_secs(3)), "{date:?}");
        }
    }

    #[test]
    fn no_text_of_a_server_has_a_line_break_or_a_control_character() {
        let bad = "a\tb";
        let headers = [
            "x-amz-function-error",
            "x-amzn-requestid",
            "x-amz-executed-version",
            "x-amz-durable-execution-arn",
            "content-type",
            "x-amzn-errortype",
        ]
        .map(|name| (name, bad));
        let body = r#"{"errorType":"a\r\nb","errorMessage":"a\n\n  b\u0000","message":"a\u001bb","Reason":"a\u2028b"}"#;
        for status in [200, 202, 204, 302, 404, 429, 503] {
            let Outcome {
                function_error,
                error_type,
                error_message,
                throttle_reason,
                request_id,
                executed_version,
                durable_execution_arn,
                content_type,
                ..
            } = classify(status, &headers, body).outcome;
            let texts = [
                function_error,
                error_type,
                error_message,
                throttle_reason,
                request_id,
                executed_version,
                durable_execution_arn,
                content_type,
            ];
            assert!(texts.iter().flatten().count() >= 4);
            for text in texts.into_iter().flatten() {
                assert!(!text.contains(|c: char| c.is_control() || c == '\u{2028}'), "{status}: {text:?}");
            }
        }
    }

    #[test]
    fn a_log_that_was_folded_or_sent_twice_is_decoded() {
        for headers in
            [&[("x-amz-log-result", "aG  k=")][..], &[("x-amz-log-result", ""), ("x-amz-log-result", "aGk=")]]
        {
            assert_eq!(classify(200, headers, "1").outcome.log.as_deref(), Some(&b"hi"[..]));
        }
    }

    #[test]
    fn the_errors_of_a_failed_function_are_read_from_its_payload() {
        let failed = [("x-amz-function-error", "Unhandled")];
        for (payload, kind, message) in [
            (r#"{"errorType":"ValueError","errorMessage":"no"}"#, Some("ValueError"), Some("no")),
            (r#"{"errorMessage":"no","stackTrace":[["a"]]}"#, None, Some("no")),
            (r#"{"errorType":"X","errorMessage":null}"#, Some("X"), None),
            (r#"{"errorMessage":"bad \ud83d here","errorType":"E"}"#, Some("E"), Some("bad \u{fffd} here")),
            (r#"{"errorMessage":{"a":[1,"x"]},"errorType":7}"#, None, Some(r#"{"a":[1,"x"]}"#)),
            (r#"{"errorMessage":"two\nlines"}"#, None, Some("two lines")),
            ("not json", None, None),
            ("", None, None),
        ] {
            let outcome = classify(200, &failed, payload).outcome;
            assert_eq!(outcome.error_type.as_deref(), kind, "{payload}");
            match message {
                Some(message) => assert_eq!(outcome.error_message.as_deref(), Some(message)),
                None => assert!(outcome.error_message.unwrap().contains("Unhandled"), "{payload}"),
            }
            assert_eq!(outcome.payload, payload.as_bytes());
        }
    }

    #[test]
    fn a_log_is_decoded_or_left_out() {
        for (sent, log) in [("aGk=", Some("hi")), ("aGk", Some("hi")), ("", Some("")), ("%%%", None)] {
            let outcome = classify(200, &[("x-amz-log-result", sent)], "1").outcome;
            assert_eq!((outcome.status, outcome.payload.as_slice()), (Status::Ok, b"1".as_slice()));
            assert_eq!(outcome.log.as_deref(), log.map(str::as_bytes), "{sent}");
        }
        assert_eq!(classify(200, &[], "1").outcome.log, None);
    }

    #[test]
    fn a_clock_error_carries_the_servers_time() {
        let date = ("date", "Thu, 01 Jan 2026 00:00:00 GMT");
        for (code, body, seconds) in [
            ("InvalidSignatureException", r#"{"message":"Signature expired: 1 is now earlier than 2"}"#, Some(30)),
            ("InvalidSignatureException", r#"{"message":"The request signature does not match"}"#, Some(240)),
            ("RequestTimeTooSkewed", "{}", Some(30)),
            ("AccessDeniedException", "{}", None),
        ] {
            let again = classify(403, &[("x-amzn-errortype", code), date], body).again;
            match (again, seconds) {
                (RetryHint::WithClockSet { tolerance, .. }, Some(seconds)) => {
                    assert_eq!(tolerance, Duration::from_secs(seconds))
                }
                (RetryHint::No, None) => {}
                other => panic!("{code}: {other:?}"),
            }
            assert_eq!(
                classify(403, &[("x-amzn-errortype", code)], body).again,
                RetryHint::No,
                "{code} without a date"
            );
        }
    }

    #[test]
    fn a_throttled_outcome_has_reason_and_wait() {
        let classification = classify(
            429,
            &[("x-amzn-errortype", "TooManyRequestsException"), ("retry-after", "2")],
            r#"{"Reason":"CallerRateLimitExceeded","Type":"User","message":"Rate Exceeded.","retryAfterSeconds":"9"}"#,
        );
        assert_eq!(classification.outcome.throttle_reason.as_deref(), Some("CallerRateLimitExceeded"));
        assert_eq!(classification.outcome.error_message.as_deref(), Some("Rate Exceeded."));
        assert_eq!(classification.outcome.retry_after, Some(Duration::from_secs(2)));
    }
}
