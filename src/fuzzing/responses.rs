//! Heads of responses, and what is concluded from them and their bodies.

use std::time::SystemTime;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::{assert_shown, parts};
use crate::response::classification::{Classification, RetryHint};
use crate::response::response::{Body, Circumstances, Head};
use crate::server_text;
use crate::status::{Execution, Status};

const MAX_RESPONSE_BYTES: u64 = 1024;

/// The first line of the input has the status, and a letter for each of the circumstances; then come the header fields, and
/// behind a line of two dashes the body.
pub(super) fn run(data: &[u8]) {
    let [head, body] = parts(data);
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let digits = first.iter().take_while(|byte| byte.is_ascii_digit()).take(3);
    let status = digits.fold(0, |status, byte| status * 10 + u16::from(byte - b'0'));
    let has = |letter| first.contains(&letter);
    let circumstances = Circumstances {
        resolved_here: has(b'r'),
        over_tls: has(b't'),
        is_streamed: has(b's'),
        received: SystemTime::UNIX_EPOCH,
    };
    let is_broken = has(b'b');
    let mut headers = HeaderMap::new();
    for line in lines {
        let at = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let value = HeaderValue::from_bytes(line[at..].strip_prefix(b":").unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(&line[..at]), value) {
            headers.append(name, value);
        }
    }
    let encoded = headers.contains_key("content-encoding");
    let head = Head::classify(status, headers, circumstances);
    let limit = head.body_limit(MAX_RESPONSE_BYTES);
    assert!(head.is_error() || limit.is_none_or(|limit| limit.bytes == MAX_RESPONSE_BYTES && limit.longer_is_refused));
    let has_certain_end = head.has_certain_end();
    let conclude = |body: &[u8], is_broken| {
        head.conclude(match is_broken {
            true => Body::Broken { partial: body.to_vec(), status: Status::Io, why: "it broke off".into() },
            false => Body::Complete(body.to_vec()),
        })
    };
    let concluded = conclude(body, is_broken);
    check(status, circumstances, body, &concluded);
    // Nobody knows what stood in the part that is missing.
    let check_doubtful = |concluded: &Classification| {
        if status >= 400 && status != 429 && concluded.outcome.error_type.is_none() {
            assert_eq!(concluded.outcome.execution, Execution::Unknown, "{concluded:?}");
        }
    };
    if is_broken || !has_certain_end {
        check_doubtful(&concluded);
    }
    if !encoded {
        let cut = conclude(&body[..body.len() / 2], true);
        check(status, circumstances, body, &cut);
        check_doubtful(&cut);
    }
}

/// Checks what holds of every response.
fn check(status: u16, circumstances: Circumstances, body: &[u8], concluded: &Classification) {
    let Classification { outcome, again } = concluded;
    if status == 200 && !circumstances.resolved_here {
        assert_eq!(outcome.execution, Execution::Ran);
    }
    // Without an error that Lambda gives instead of running the function, it may have run.
    if status < 400 && status != 204 {
        assert_ne!(outcome.execution, Execution::None);
    }
    if *again != RetryHint::No {
        assert_eq!(outcome.execution, Execution::None, "another attempt could run the function again: {concluded:?}");
    }
    assert_eq!(outcome.http_status, status);
    assert_eq!(outcome.error_message.is_none(), outcome.status == Status::Ok, "{outcome:?}");
    if matches!(outcome.status, Status::Ok | Status::FunctionError) {
        assert!(outcome.payload.is_empty() || outcome.payload == body);
    } else {
        assert!(outcome.payload.is_empty());
    }
    let texts = [&outcome.error_message, &outcome.error_type, &outcome.throttle_reason, &outcome.function_error];
    let texts = texts.into_iter().chain([&outcome.request_id, &outcome.executed_version, &outcome.content_type]);
    for text in texts.chain([&outcome.durable_execution_arn]).flatten() {
        assert_shown(text);
        // The longest message has a few words of ours around the server's.
        assert!(text.len() <= server_text::MAX_BYTES + 100, "{} bytes", text.len());
    }
}
