//! From an answer to what it says: the rows of "Did it run?" for attempts that got the head of an answer.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use http::HeaderMap;
use http::header::{CONTENT_TYPE, DATE, HeaderName};

use crate::http::transport::Limit;
use crate::outcome::Outcome;
use crate::response::classification::{Classification, RetryHint};
use crate::response::json_fields;
use crate::response::service_error::{self, ServiceError};
use crate::status::{Execution, Status};

/// Takes what servers send, with padding or without.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");

/// As much of an error's document as is read.
const MAX_ERROR_BYTES: u64 = 1024 * 1024;

/// The head of an answer.
#[derive(Clone, Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    meaning: Meaning,
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
    /// The same with other bytes.
    pub(crate) fn map(self, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> Self {
        match self {
            Self::Complete(bytes) => Self::Complete(change(bytes)),
            Self::Broken { partial, status, why } => Self::Broken { partial: change(partial), status, why },
        }
    }
}

impl Head {
    /// Classifies a head before its body is read; the first row that fits decides.
    pub(crate) fn classify(status: u16, headers: HeaderMap, resolved_here: bool) -> Self {
        let meaning = match status {
            200..=299 if resolved_here && !headers.contains_key(REQUEST_ID) => Meaning::Unexpected(
                "an answer without x-amzn-RequestId: something between here and Lambda answered in its place, such as a \
                 captive portal or a proxy",
            ),
            200 => Meaning::Ran,
            202 => Meaning::Queued,
            204 => Meaning::DryRun,
            400.. => Meaning::Error,
            101 => Meaning::Unexpected("a change of protocol that nobody asked for"),
            300..=399 => Meaning::Unexpected("a redirect, which is not followed; check the endpoint"),
            _ => Meaning::Unexpected("a status that Invoke does not have"),
        };
        Self { status, headers, meaning }
    }

    /// How much of the body is worth reading; `None`: whatever it says, it changes nothing.
    pub(crate) fn body_limit(&self, max_response_bytes: u64) -> Option<Limit> {
        match self.meaning {
            Meaning::Ran => Some(Limit { bytes: max_response_bytes, longer_is_refused: true }),
            Meaning::Error => Some(Limit { bytes: MAX_ERROR_BYTES, longer_is_refused: false }),
            Meaning::Queued | Meaning::DryRun | Meaning::Unexpected(_) => None,
        }
    }

    pub(crate) fn is_error(&self) -> bool {
        self.meaning == Meaning::Error
    }

    pub(crate) fn request_id(&self) -> Option<String> {
        self.text(REQUEST_ID.as_str())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    }

    /// What the attempt came to, now that the body has been read as far as it matters.
    pub(crate) fn conclude(&self, body: Body) -> Classification {
        let mut classification = match self.meaning {
            Meaning::Ran => self.conclude_run(body),
            Meaning::Queued => Classification::end(Outcome::empty(Status::Ok, Execution::Queued)),
            Meaning::DryRun => Classification::end(Outcome::empty(Status::Ok, Execution::None)),
            Meaning::Error => self.conclude_error(body),
            Meaning::Unexpected(what) => {
                let message = format!("HTTP {}: {what}", self.status);
                Classification::end(Outcome::without_answer(Status::Protocol, Execution::Unknown, message))
            }
        };
        let outcome = &mut classification.outcome;
        outcome.http_status = self.status;
        outcome.request_id = self.request_id();
        outcome.executed_version = self.text("x-amz-executed-version");
        outcome.durable_execution_arn = self.text("x-amz-durable-execution-arn");
        outcome.content_type = self.text(CONTENT_TYPE.as_str());
        outcome.retry_after = outcome.retry_after.or_else(|| service_error::retry_after(&self.headers));
        classification
    }

    /// 200: the function ran.
    fn conclude_run(&self, body: Body) -> Classification {
        let mut outcome = Outcome::empty(Status::Ok, Execution::Ran);
        outcome.log = self.log();
        outcome.function_error = self.function_error();
        match (&outcome.function_error, body) {
            (None, Body::Complete(payload)) => outcome.payload = payload,
            (None, Body::Broken { status, why, .. }) => {
                outcome.status = status;
                outcome.error_message = Some(format!("the function ran, but its answer was lost: {why}"));
            }
            (Some(kind), body) => {
                outcome.status = Status::FunctionError;
                match body {
                    Body::Complete(payload) => {
                        [outcome.error_type, outcome.error_message] =
                            json_fields::texts(&payload, ["errorType", "errorMessage"]).unwrap_or_default();
                        outcome.error_message.get_or_insert_with(|| {
                            format!("the function failed ({kind}) and its payload has no errorMessage")
                        });
                        outcome.payload = payload;
                    }
                    Body::Broken { why, .. } => {
                        outcome.error_message =
                            Some(format!("the function failed ({kind}), but what it said was lost: {why}"));
                    }
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
        let (status, execution, again) = self.classify_error(&error);
        let mut outcome = Outcome::empty(status, execution);
        outcome.error_message = Some(match (error.message, lost) {
            (Some(message), _) => message,
            (None, None) => format!("HTTP {} without a message", self.status),
            (None, Some(why)) => format!("HTTP {}, its message was lost: {why}", self.status),
        });
        outcome.error_type = error.code;
        outcome.throttle_reason = error.reason;
        // The header goes before the body's member.
        outcome.retry_after = service_error::retry_after(&self.headers).or(error.retry_after);
        Classification { outcome, again }
    }

    fn classify_error(&self, error: &ServiceError) -> (Status, Execution, RetryHint) {
        let safe = |safe: bool| if safe { RetryHint::Safe { connect_timeout: false } } else { RetryHint::No };
        let is_client_error = (400..500).contains(&self.status);
        if let Some((execution, again)) = error.modelled() {
            let status = if self.status == 429 { Status::Throttled } else { Status::Service };
            return (status, execution, safe(again));
        }
        if self.status == 429 || (is_client_error && error.is_throttling()) {
            return (Status::Throttled, Execution::None, safe(true));
        }
        if is_client_error && self.status != 408 && self.function_error().is_none() {
            let again = match (error.clock_tolerance(), self.date()) {
                _ if error.is_expired_token() => RetryHint::WithNewCredentials,
                (Some(tolerance), Some(date)) => RetryHint::WithClockSet { date, tolerance },
                _ => RetryHint::No,
            };
            return (Status::Service, Execution::None, again);
        }
        (Status::Service, Execution::Unknown, RetryHint::No)
    }

    /// `None` if the function did not fail; an empty header says nothing.
    fn function_error(&self) -> Option<String> {
        self.text("x-amz-function-error").filter(|value| !value.is_empty())
    }

    /// A log that cannot be decoded is lost, the call is not.
    fn log(&self) -> Option<Vec<u8>> {
        LENIENT.decode(self.headers.get("x-amz-log-result")?.as_bytes().trim_ascii()).ok()
    }

    fn date(&self) -> Option<std::time::SystemTime> {
        httpdate::parse_http_date(self.headers.get(DATE)?.to_str().ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn head(status: u16, headers: &[(&'static str, &str)]) -> Head {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        Head::classify(status, headers, false)
    }

    fn classify(status: u16, headers: &[(&'static str, &str)], body: &str) -> Classification {
        head(status, headers).conclude(Body::Complete(body.as_bytes().to_vec()))
    }

    fn cut() -> Body {
        Body::Broken { partial: Vec::new(), status: Status::Io, why: "cut".into() }
    }

    const SAFE: RetryHint = RetryHint::Safe { connect_timeout: false };
    type Row = (u16, &'static [(&'static str, &'static str)], &'static str, Status, Execution, RetryHint);

    #[test]
    fn did_it_run_by_the_head_of_the_answer() {
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
            (400, &[("x-amz-function-error", "Unhandled")], "", Status::Service, Unknown, RetryHint::No),
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
    fn only_lambda_answers_for_lambda() {
        for status in [200, 202, 204] {
            let concluded =
                |headers| Head::classify(status, headers, true).conclude(Body::Complete(Vec::new())).outcome;
            let outcome = concluded(HeaderMap::new());
            assert_eq!((outcome.status, outcome.execution), (Status::Protocol, Execution::Unknown));
            let outcome = concluded(HeaderMap::from_iter([(REQUEST_ID, "id".parse().unwrap())]));
            assert_eq!(outcome.status, Status::Ok);
        }
    }

    #[test]
    fn a_lost_body_does_not_unmake_the_run() {
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
    fn a_failed_functions_words_are_taken_from_its_payload() {
        let failed = [("x-amz-function-error", "Unhandled")];
        for (payload, kind, message) in [
            (r#"{"errorType":"ValueError","errorMessage":"no"}"#, Some("ValueError"), Some("no")),
            (r#"{"errorMessage":"no","stackTrace":[["a"]]}"#, None, Some("no")),
            (r#"{"errorType":"X","errorMessage":null}"#, Some("X"), None),
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
    fn throttling_says_why_and_for_how_long() {
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
