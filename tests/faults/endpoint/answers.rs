//! The responses: sound ones, errors of the service, and all that servers and proxies get wrong.

use std::net::SocketAddr;

use crate::draw::Draw;
use crate::frames::{self, FRAME_KINDS};
use crate::ledger::{Expected, Payload, hash};

pub const KINDS: [&str; 31] = [
    "sound",
    "chunked",
    "until-close",
    "function-error",
    "with-log",
    "throttled",
    "error-in-head",
    "error-in-json",
    "error-in-xml",
    "errors-that-differ",
    "error-without-code",
    "length-too-long",
    "length-too-short",
    "length-twice",
    "lengths-that-differ",
    "length-invalid",
    "length-and-chunks",
    "chunk-size-invalid",
    "chunk-size-huge",
    "chunks-without-end",
    "interim-responses",
    "switching-protocols",
    "garbage",
    "huge-header",
    "many-headers",
    "odd-header-bytes",
    "redirect",
    "gzip",
    "gzip-error",
    "other-2xx",
    "other-type",
];

/// The errors that Lambda may give after it has begun to run the function: by their documentation, an internal error and a
/// failed read or write of a file system that the function mounted. It gives all others instead of running it.
const MAY_HAVE_RUN: [&str; 2] = ["ServiceException", "EFSIOException"];

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Invocation {
    RequestResponse,
    Event,
    DryRun,
}

/// What answers depend on, beside the draw.
pub struct Call<'c> {
    pub id: u64,
    pub attempt: u64,
    pub invocation: Invocation,
    /// Whether the response is an event stream.
    pub is_streamed: bool,
    /// Names and HTTP statuses of the errors of the service's model.
    pub errors: &'c [(String, u16)],
    pub redirected_to: SocketAddr,
}

#[derive(Clone)]
pub struct Answer {
    pub kind: &'static str,
    pub bytes: Vec<u8>,
    pub head_length: usize,
    /// Whether an honest service that answers so has run the function.
    pub executed: bool,
    pub expected: Expected,
    pub payload: Payload,
    /// Only the end of the connection ends it.
    pub ends_with_connection: bool,
    /// Bytes follow it that belong to no response.
    pub has_rest: bool,
    /// The payload itself says where it ends.
    pub is_streamed: bool,
}

/// The body of a response.
struct Body {
    bytes: Vec<u8>,
    payload: Payload,
}

impl Body {
    fn of(bytes: Vec<u8>) -> Self {
        Self { payload: Payload::Hash(hash(&bytes)), bytes }
    }

    /// Draws a body, which carries a payload that names its call.
    fn draw(kind: &str, call: &Call, draw: &mut Draw) -> Self {
        let content = content(call, draw);
        if !call.is_streamed {
            return Self::of(content);
        }
        let bytes = frames::stream(kind, &content, draw);
        let payload = if frames::is_whole(kind) { Payload::Hash(hash(&content)) } else { Payload::Broken };
        Self { bytes, payload }
    }
}

impl Answer {
    fn new(kind: &'static str, head: &[u8], body: &[u8], executed: bool) -> Self {
        let bytes = [head, b"\r\n", body].concat();
        Self {
            kind,
            head_length: head.len() + 2,
            bytes,
            executed,
            expected: Expected::Open,
            payload: Payload::Broken,
            ends_with_connection: false,
            has_rest: false,
            is_streamed: false,
        }
    }

    fn expecting(mut self, expected: Expected) -> Self {
        self.expected = expected;
        self
    }

    fn with_payload(self, payload: Payload) -> Self {
        Self { payload, ..self }
    }

    fn ending_with_connection(mut self) -> Self {
        self.ends_with_connection = true;
        self
    }

    /// Whether an honest service can send it before it has read the request: it does not tell of a run.
    pub fn can_be_early(&self) -> bool {
        self.expected == Expected::None
    }
}

/// Draws a response: half of them are sound, and all kinds are equally likely among the others.
pub fn draw(call: &Call, draw: &mut Draw) -> Answer {
    let kind = match draw.percent(50) {
        true => "sound",
        false if call.is_streamed && draw.percent(40) => draw.one_of(&FRAME_KINDS),
        false => draw.one_of(&KINDS),
    };
    let answer = draw_kind(kind, call, draw);
    Answer { is_streamed: call.is_streamed, ..answer }
}

fn draw_kind(kind: &'static str, call: &Call, draw: &mut Draw) -> Answer {
    match kind {
        _ if FRAME_KINDS.contains(&kind) => ok(kind, call, draw),
        "sound" => sound(call, draw),
        "throttled" => throttled(call, draw),
        "until-close" => until_close(call, draw),
        "errors-that-differ" | "error-without-code" | "gzip-error" => unclear_error(kind, call, draw),
        _ if kind.starts_with("error-") => modelled_error(kind, call, draw),
        _ if kind.contains("length") => with_length_fault(kind, call, draw),
        _ if kind.contains("chunk") => chunked(kind, call, draw),
        "switching-protocols" | "garbage" | "redirect" | "other-2xx" | "other-type" => foreign(kind, call, draw),
        _ => ok(kind, call, draw),
    }
}

fn head(status: &str, call: &Call) -> String {
    format!("HTTP/1.1 {status}\r\nx-amzn-RequestId: {}-{}\r\n", call.id, call.attempt)
}

fn ok_head(call: &Call) -> String {
    let content_type = if call.is_streamed { "application/vnd.amazon.eventstream" } else { "application/json" };
    head("200 OK", call) + &format!("Content-Type: {content_type}\r\nX-Amz-Executed-Version: $LATEST\r\n")
}

fn length(body: &[u8]) -> String {
    format!("Content-Length: {}\r\n", body.len())
}

/// The payload of a response, which names its call.
fn content(call: &Call, draw: &mut Draw) -> Vec<u8> {
    let fill = match draw.below(20) {
        0..2 => return Vec::new(),
        2..4 => 200_000,
        4..7 => 20_000,
        _ => draw.below(300),
    };
    let letter = char::from(b'a' + draw.below(26) as u8);
    format!(r#"{{"id":"{}","attempt":{},"fill":"{}"}}"#, call.id, call.attempt, letter.to_string().repeat(fill)).into()
}

pub fn sound(call: &Call, draw: &mut Draw) -> Answer {
    match call.invocation {
        Invocation::RequestResponse => ok("sound", call, draw),
        Invocation::Event => {
            let head = head("202 Accepted", call) + "Content-Length: 0\r\n";
            let answer = Answer::new("sound", head.as_bytes(), b"", true).expecting(Expected::Queued);
            Answer { payload: Payload::Any, ..answer }
        }
        Invocation::DryRun => {
            let answer = Answer::new("sound", head("204 No Content", call).as_bytes(), b"", false);
            Answer { payload: Payload::Any, ..answer.expecting(Expected::None) }
        }
    }
}

/// A 200 with a sound length.
fn ok(kind: &'static str, call: &Call, draw: &mut Draw) -> Answer {
    let mut body = Body::draw(kind, call, draw);
    let mut head = ok_head(call).into_bytes();
    let mut expected = Expected::Ran;
    match kind {
        "function-error" => {
            let value = draw.one_of(&["Unhandled", "Handled"]);
            head.extend_from_slice(format!("X-Amz-Function-Error: {value}\r\n").as_bytes());
            if !call.is_streamed {
                let document = format!(r#"{{"id":"{}","errorType":"E","errorMessage":"of {}"}}"#, call.id, call.id);
                body = Body::of(document.into());
            }
        }
        "with-log" => head.extend_from_slice(b"X-Amz-Log-Result: U1RBUlQKRU5ECg==\r\n"),
        "gzip" => {
            head.extend_from_slice(b"Content-Encoding: gzip\r\n");
            body = Body::of(gzip(&body.bytes));
        }
        "interim-responses" => {
            let one: &[u8] = draw.one_of(&[
                &b"HTTP/1.1 100 Continue\r\n\r\n"[..],
                b"HTTP/1.1 102 Processing\r\n\r\n",
                b"HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n",
            ]);
            let count = draw.one_of(&[1, 2, 50, 2_000]);
            head = [one.repeat(count), head].concat();
        }
        "huge-header" => {
            let size = draw.one_of(&[8_000, 60_000, 300_000, 500_000]);
            head.extend_from_slice(format!("X-Huge: {}\r\n", "h".repeat(size)).as_bytes());
            expected = Expected::Open;
        }
        "many-headers" => {
            let count = draw.one_of(&[50, 90, 101, 1_000, 20_000]);
            (0..count).for_each(|number| head.extend_from_slice(format!("X-{number}: {number}\r\n").as_bytes()));
            expected = Expected::Open;
        }
        "odd-header-bytes" => {
            let odd: &[u8] = draw.one_of(&[
                &b"X-Odd: \xff\x80\xfe\r\n"[..],
                b"X-Odd: a\tb\r\n",
                b"X-Odd: a\0b\r\n",
                b"X-Odd: a\rb\r\n",
                b"X-Odd: a\r\n folded\r\n",
                b"X Odd: a\r\n",
                b": nameless\r\n",
                b"X-Odd\r\n",
                b"X-Odd: a\n",
                b"X-\xc3\xa4: a\r\n",
            ]);
            head.extend_from_slice(odd);
            expected = Expected::Open;
        }
        _ => {}
    }
    head.extend_from_slice(length(&body.bytes).as_bytes());
    Answer::new(kind, &head, &body.bytes, true).expecting(expected).with_payload(body.payload)
}

/// The form of gzip around a block that is not compressed. Nobody is to read it, so its checksum is 0.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len().min(0xFFFF) as u16).to_le_bytes();
    let complement = length.map(|byte| !byte);
    let header = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 0xFF, 1];
    [&header, &length[..], &complement, &bytes[..bytes.len().min(0xFFFF)], &[0; 8]].concat()
}

fn with_length_fault(kind: &'static str, call: &Call, draw: &mut Draw) -> Answer {
    let Body { bytes: body, payload } = Body::draw(kind, call, draw);
    let (count, off) = (body.len(), 1 + draw.below(50));
    let headers = match kind {
        "length-too-long" => format!("Content-Length: {}\r\n", count + off),
        "length-too-short" => format!("Content-Length: {}\r\n", count.saturating_sub(off)),
        "length-twice" => length(&body).repeat(2),
        "lengths-that-differ" => format!("Content-Length: {count}\r\nContent-Length: {}\r\n", count + off),
        "length-and-chunks" => format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n", count + off),
        _ => format!("Content-Length: {}\r\n", draw.one_of(&["-1", "x", "", "0x10", "99999999999999999999", "1, 2"])),
    };
    let sent = if kind == "length-and-chunks" { in_chunks(&body, draw) } else { body.clone() };
    let answer = Answer::new(kind, (ok_head(call) + &headers).as_bytes(), &sent, true);
    match kind {
        "length-too-long" if call.is_streamed => {
            answer.expecting(Expected::Ran).with_payload(payload).ending_with_connection()
        }
        "length-too-long" => answer.expecting(Expected::Ran).ending_with_connection(),
        "length-too-short" => {
            let kept = count.saturating_sub(off);
            let payload = if call.is_streamed { payload } else { Payload::Hash(hash(&body[..kept])) };
            let answer = answer.expecting(Expected::Ran).with_payload(payload);
            Answer { has_rest: kept < count, ..answer }
        }
        "length-twice" | "length-and-chunks" => answer.with_payload(payload),
        _ => answer,
    }
}

fn in_chunks(body: &[u8], draw: &mut Draw) -> Vec<u8> {
    let size = draw.one_of(&[1, 7, 4_096, 1_000_000]).max(body.len() / 500);
    let mut chunks = Vec::new();
    for chunk in body.chunks(size) {
        let extension = draw.one_of(&["", "", ";name=value"]);
        chunks.extend_from_slice(format!("{:x}{extension}\r\n", chunk.len()).as_bytes());
        chunks.extend_from_slice(chunk);
        chunks.extend_from_slice(b"\r\n");
    }
    chunks.extend_from_slice(draw.one_of(&[&b"0\r\n\r\n"[..], b"0\r\nX-Trailer: t\r\n\r\n"]));
    chunks
}

fn chunked(kind: &'static str, call: &Call, draw: &mut Draw) -> Answer {
    let Body { bytes: body, payload } = Body::draw(kind, call, draw);
    let whole = in_chunks(&body, draw);
    let head = ok_head(call) + "Transfer-Encoding: chunked\r\n";
    let chunks = match kind {
        "chunk-size-invalid" => {
            [&b"5\r\nhello\r\n"[..], draw.one_of(&[&b"zz\r\n"[..], b"\r\n", b"-1\r\n", b"5 5\r\n"]), &body].concat()
        }
        "chunk-size-huge" => {
            [draw.one_of(&[&b"ffffffffffffffff\r\n"[..], b"7fffffff\r\n", b"fffffffffffffffff\r\n"]), &body].concat()
        }
        "chunks-without-end" => whole[..whole.len() - 1 - draw.below(whole.len() - 1)].to_vec(),
        _ => whole,
    };
    let answer = Answer::new(kind, head.as_bytes(), &chunks, true).expecting(Expected::Ran);
    match kind {
        "chunked" => answer.with_payload(payload),
        "chunks-without-end" | "chunk-size-huge" if call.is_streamed => {
            answer.with_payload(payload).ending_with_connection()
        }
        _ => answer.ending_with_connection(),
    }
}

fn throttled(call: &Call, draw: &mut Draw) -> Answer {
    let (status, code) = draw.one_of(&[
        ("429 Too Many Requests", "TooManyRequestsException"),
        ("429 Too Many Requests", ""),
        ("400 Bad Request", "ThrottlingException"),
        ("400 Bad Request", "SlowDown"),
    ]);
    let retry_after = draw.one_of(&[
        "",
        "",
        "Retry-After: 0\r\n",
        "Retry-After: 1\r\n",
        "Retry-After: 3600\r\n",
        "Retry-After: soon\r\n",
        "Retry-After: 99999999999999999999999\r\n",
        "Retry-After: Fri, 31 Dec 1999 23:59:59 GMT\r\n",
    ]);
    let body = format!(r#"{{"__type":"{code}","Reason":"ReservedFunctionConcurrentInvocationLimitExceeded"}}"#);
    let head = head(status, call) + retry_after + &length(body.as_bytes());
    Answer::new("throttled", head.as_bytes(), body.as_bytes(), false).expecting(Expected::None)
}

fn may_have_run(code: &str) -> bool {
    MAY_HAVE_RUN.contains(&code)
}

fn modelled_error(kind: &'static str, call: &Call, draw: &mut Draw) -> Answer {
    // Those that leave it open are the ones to get wrong.
    let (code, status) = if draw.percent(30) {
        draw.one_of(&[("ServiceException".into(), 500), ("EFSIOException".into(), 410)])
    } else {
        draw.one_of(call.errors)
    };
    let message = format!("about {}", call.id);
    let (headers, body) = match kind {
        "error-in-head" => {
            (format!("x-amzn-ErrorType: {code}:http://example.com/coral/\r\n"), format!(r#"{{"message":"{message}"}}"#))
        }
        "error-in-json" => {
            let [name, namespace] = draw.one_of(&[["__type", "com.amazonaws.lambda#"], ["code", ""], ["Code", ""]]);
            (String::new(), format!(r#"{{"Message":"{message}","Type":"User","{name}":"{namespace}{code}"}}"#))
        }
        _ => (
            "Content-Type: text/xml\r\n".into(),
            format!("<ErrorResponse><Error><Message>{message}</Message><Code>{code}</Code></Error></ErrorResponse>"),
        ),
    };
    let head = head(&format!("{status} Error"), call) + &headers + &length(body.as_bytes());
    let open = may_have_run(&code);
    let answer = Answer::new(kind, head.as_bytes(), body.as_bytes(), open && draw.percent(50));
    answer.expecting(if open { Expected::Open } else { Expected::None })
}

/// An error after which the function may have run, although the response does not say so in the usual place.
fn unclear_error(kind: &'static str, call: &Call, draw: &mut Draw) -> Answer {
    let open = draw.one_of(&MAY_HAVE_RUN);
    let (other, _) = draw.one_of(call.errors);
    let status = draw.one_of(&[400, 404, 409, 410, 429, 500, 502]);
    let (status, headers, body) = match kind {
        "errors-that-differ" => {
            let [first, second] = if draw.percent(50) { [open, &other] } else { [&other, open] };
            let document = format!(r#"{{"__type":"{second}"}}"#);
            (status, format!("x-amzn-ErrorType: {first}\r\n"), document.into_bytes())
        }
        "gzip-error" => {
            let document = gzip(format!(r#"{{"__type":"{open}"}}"#).as_bytes());
            let status = draw.one_of(&[400, 410, 500, 502]);
            (status, "Content-Encoding: gzip\r\n".into(), document)
        }
        _ => {
            let body = draw.one_of(&["", "<html>Bad Gateway</html>", "{", "null", r#"{"__type":""}"#]);
            (draw.one_of(&[408, 500, 502, 503, 504, 599]), String::new(), body.into())
        }
    };
    // The error in the head counts, since what contradicts it may never come.
    let may_have_run = kind != "errors-that-differ" || headers.contains(open);
    let head = head(&format!("{status} Error"), call) + &headers + &length(&body);
    Answer::new(kind, head.as_bytes(), &body, may_have_run && draw.percent(50))
}

/// What Lambda never answers. The whole request has arrived, so it counts as executed, but a redirect sends it elsewhere.
fn foreign(kind: &'static str, call: &Call, draw: &mut Draw) -> Answer {
    let body = content(call, draw);
    let runs = call.invocation != Invocation::DryRun;
    let random: Vec<u8> = (0..200).map(|_| draw.below(256) as u8).collect();
    let garbage: &[u8] = draw.one_of(&[
        &random[..],
        b"SSH-2.0-OpenSSH_9.9\r\n",
        b"HTTP/1.1 999999 What\r\n\r\n",
        b"HTTP/9.9 200 OK\r\n\r\n",
        b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x64",
        b"\r\n\r\n\r\n",
        b"<html>200 OK</html>",
    ]);
    match kind {
        "garbage" => {
            Answer { bytes: garbage.to_vec(), head_length: garbage.len(), ..Answer::new(kind, b"", b"", runs) }
                .ending_with_connection()
        }
        "switching-protocols" => {
            let head = head("101 Switching Protocols", call) + "Connection: upgrade\r\nUpgrade: websocket\r\n";
            Answer::new(kind, head.as_bytes(), &body, runs).ending_with_connection()
        }
        "redirect" => {
            let status = draw.one_of(&[301, 302, 303, 307, 308]);
            let to =
                format!("Location: http://{}/2015-03-31/functions/f-{}/invocations\r\n", call.redirected_to, call.id);
            let head = head(&format!("{status} Elsewhere"), call) + &to + "Content-Length: 0\r\n";
            Answer::new(kind, head.as_bytes(), b"", false)
        }
        "other-2xx" => {
            let head = head(&format!("{} Odd", draw.one_of(&[201, 203, 206, 226, 299])), call) + &length(&body);
            Answer::new(kind, head.as_bytes(), &body, runs)
        }
        _ => {
            // 202 where a response was asked for, 204 where anything was.
            let queued = draw.percent(50);
            let status = if queued { "202 Accepted" } else { "204 No Content" };
            let head = head(status, call) + if queued { "Content-Length: 0\r\n" } else { "" };
            let answer = Answer::new(kind, head.as_bytes(), b"", queued);
            Answer { payload: Payload::Any, ..answer }
        }
    }
}

/// The connection ends the response, which has no length.
fn until_close(call: &Call, draw: &mut Draw) -> Answer {
    let Body { bytes: body, payload } = Body::draw("until-close", call, draw);
    let head = ok_head(call) + draw.one_of(&["", "Connection: close\r\n"]);
    let answer = Answer::new("until-close", head.as_bytes(), &body, true).expecting(Expected::Ran);
    answer.with_payload(payload).ending_with_connection()
}

/// A whole response that nobody asked for.
pub fn unsolicited(number: u64) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nx-amzn-RequestId: unsolicited-{number}\r\nContent-Length: 13\r\n\r\n\"unsolicited\"")
        .into()
}
