//! Tests streamed responses with scripted servers, each row of "Did it run?" among them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests, outside a test function too")]

#[path = "support/frames.rs"]
mod frames;
mod support;

use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use frames::{event, frame};
use lambda_invoke::{Client, Execution, Invocation, Outcome, Received, ResponseStream, RetryMode, Status};
use support::{Server, request, response};

const HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\nX-Amz-Executed-Version: 7\r\n";

fn chunk(payload: &[u8]) -> Vec<u8> {
    event("PayloadChunk", payload)
}

fn complete(document: &str) -> Vec<u8> {
    event("InvokeComplete", document.as_bytes())
}

/// A response that ends with its connection.
fn until_closed(body: &[u8]) -> Vec<u8> {
    [format!("{HEAD}\r\n").as_bytes(), body].concat()
}

fn with_length(body: &[u8]) -> Vec<u8> {
    [format!("{HEAD}Content-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

fn http_chunk(piece: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat()
}

/// One HTTP chunk for each piece.
fn in_http_chunks<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Vec<u8> {
    let mut bytes = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for piece in pieces {
        bytes.extend(http_chunk(piece));
    }
    bytes.extend(b"0\r\n\r\n");
    bytes
}

/// The response whose connection breaks before its last HTTP chunk.
fn without_last_chunk(mut response: Vec<u8>) -> Vec<u8> {
    response.truncate(response.len() - b"0\r\n\r\n".len());
    response
}

fn read_all(mut stream: ResponseStream) -> (Vec<u8>, Outcome) {
    let mut data = Vec::new();
    loop {
        match stream.next(None) {
            Received::Chunk(bytes) => data.extend_from_slice(bytes),
            Received::Pending => panic!("a wait without a limit ended"),
            Received::Ended(status) => {
                assert_eq!(stream.next(None), Received::Ended(status));
                let outcome = stream.finish();
                assert_eq!((outcome.status, outcome.payload.len()), (status, 0));
                return (data, outcome);
            }
        }
    }
}

fn read_from(server: &Server) -> (Vec<u8>, Outcome) {
    read_all(server.client().invoke_stream(request(b"{}")))
}

fn facts(outcome: &Outcome) -> (Status, Execution, u32, u32) {
    (outcome.status, outcome.execution, outcome.attempts, outcome.unknown_attempts)
}

#[test]
fn chunks_come_whatever_the_pieces() {
    let body = [chunk(b"one,"), chunk(b""), chunk(&[b'x'; 300]), complete("{}")].concat();
    let expected = [&b"one,"[..], &[b'x'; 300]].concat();
    let mut responses = vec![until_closed(&body), with_length(&body)];
    responses.extend([1, 7, 100].map(|size| in_http_chunks(body.chunks(size))));
    for bytes in responses {
        let (data, outcome) = read_from(&Server::responding(bytes));
        assert_eq!(facts(&outcome), (Status::Ok, Execution::Ran, 1, 0), "{outcome:?}");
        assert_eq!(data, expected);
        assert_eq!((outcome.http_status, outcome.executed_version.as_deref()), (200, Some("7")));
        assert_eq!(outcome.error_message, None);
    }
}

#[test]
fn the_request_is_that_of_the_operation() {
    let (told, tells) = mpsc::channel();
    let told = Mutex::new(told);
    let server = Server::start(move |_, mut connection| {
        told.lock().unwrap().send(connection.request().unwrap().head).unwrap();
        connection.send(&with_length(&complete("{}")));
    });
    let mut invocation = request(b"{}");
    invocation.qualifier = Some("live".into());
    invocation.log_type = Some("Tail".into());
    read_all(server.client().invoke_stream(invocation));
    let head = tells.recv().unwrap().to_lowercase();
    let line = "post /2021-11-15/functions/f/response-streaming-invocations?qualifier=live http/1.1";
    assert_eq!(head.lines().next(), Some(line));
    assert!(head.contains("x-amz-log-type: tail"), "{head}");
}

#[test]
fn a_stream_that_is_cut_is_never_a_success() {
    let frames = [chunk(b"one"), chunk(b"two"), complete("{}")];
    let body = frames.concat();
    let ends: Vec<usize> = frames
        .iter()
        .scan(0, |end, frame| {
            *end += frame.len();
            Some(*end)
        })
        .collect();
    for at in 0..body.len() {
        let cut = &body[..at];
        let expected = match at {
            at if at >= ends[1] => "onetwo",
            at if at >= ends[0] => "one",
            _ => "",
        };
        let too_long = format!("{HEAD}Content-Length: {}\r\n\r\n", body.len());
        for (bytes, status) in [
            (until_closed(cut), Status::Io),
            ([too_long.as_bytes(), cut].concat(), Status::Io),
            (with_length(cut), Status::Protocol),
            (in_http_chunks(cut.chunks(1)), Status::Protocol),
            (without_last_chunk(in_http_chunks(cut.chunks(20))), Status::Io),
        ] {
            let (data, outcome) = read_from(&Server::responding(bytes));
            assert_eq!(facts(&outcome), (status, Execution::Ran, 1, 0), "cut at {at}: {outcome:?}");
            assert_eq!(data, expected.as_bytes(), "cut at {at}");
        }
    }
}

#[test]
fn a_damaged_stream_is_never_a_success_and_gives_what_came_before() {
    let frames = [chunk(b"one"), chunk(b"two"), complete("{}")];
    let body = frames.concat();
    for at in 0..body.len() {
        let mut damaged = body.clone();
        damaged[at] ^= 0x10;
        let (data, outcome) = read_from(&Server::responding(with_length(&damaged)));
        assert_eq!(facts(&outcome), (Status::Protocol, Execution::Ran, 1, 0), "byte {at}: {outcome:?}");
        let before = if at < frames[0].len() {
            ""
        } else if at < body.len() - frames[2].len() {
            "one"
        } else {
            "onetwo"
        };
        assert_eq!(data, before.as_bytes(), "byte {at}");
    }
}

#[test]
fn the_last_event_decides() {
    let exception = frame(&[(":message-type", "exception"), (":exception-type", "Oh")], br#"{"message":"why"}"#);
    let error = frame(&[(":message-type", "error"), (":error-code", "Oh"), (":error-message", "why")], b"");
    let failed = r#"{"ErrorCode":"Unhandled","ErrorDetails":"{\"errorType\":\"KeyError\",\"errorMessage\":\"k\"}"}"#;
    let plain = r#"{"errorCode":500,"errorDetails":"Unhandled"}"#;
    type Row<'r> = (Vec<u8>, Status, Option<&'r str>, Option<&'r str>, &'r str);
    let rows: [Row<'_>; 12] = [
        (complete("{}"), Status::Ok, None, None, ""),
        (complete(""), Status::Ok, None, None, ""),
        (complete(r#"{"ErrorCode":null,"ErrorDetails":""}"#), Status::Ok, None, None, ""),
        ([complete("{}"), b"trailing".to_vec()].concat(), Status::Ok, None, None, ""),
        (complete(failed), Status::FunctionError, Some("Unhandled"), Some("KeyError"), "k"),
        (complete(plain), Status::FunctionError, Some("500"), Some("500"), "Unhandled"),
        (complete(r#"{"ErrorCode":"C"}"#), Status::FunctionError, Some("C"), Some("C"), "the function failed (C)"),
        (complete("{"), Status::Protocol, None, None, "not a JSON object"),
        (complete("[1]"), Status::Protocol, None, None, "not a JSON object"),
        (exception, Status::Service, None, Some("Oh"), "ended the stream with Oh: why"),
        (error, Status::Service, None, Some("Oh"), "ended the stream with Oh: why"),
        (b"{\"not\": \"an event stream\"}".to_vec(), Status::Protocol, None, None, "not an event stream"),
    ];
    for (last, status, function_error, error_type, message) in rows {
        let body = [event("initial-response", b"{}"), chunk(b"data"), event("BrandNew", b"?"), last].concat();
        let (data, outcome) = read_from(&Server::responding(with_length(&body)));
        assert_eq!(facts(&outcome), (status, Execution::Ran, 1, 0), "{outcome:?}");
        assert_eq!(data, b"data");
        assert_eq!(outcome.function_error.as_deref(), function_error, "{outcome:?}");
        assert_eq!(outcome.error_type.as_deref(), error_type, "{outcome:?}");
        assert!(outcome.error_message.clone().unwrap_or_default().contains(message), "{outcome:?}");
        assert_eq!(outcome.error_message.is_none(), status == Status::Ok);
    }
}

#[test]
fn a_function_error_of_the_head_counts_too() {
    let head = format!("{HEAD}X-Amz-Function-Error: Handled\r\n\r\n");
    for (body, status) in [(complete("{}"), Status::FunctionError), (chunk(b"1"), Status::Io)] {
        let (_, outcome) = read_from(&Server::responding([head.as_bytes(), &body].concat()));
        assert_eq!((outcome.status, outcome.function_error.as_deref()), (status, Some("Handled")), "{outcome:?}");
    }
}

#[test]
fn the_log_is_decoded() {
    let body = complete(r#"{"LogResult":"U1RBUlQK"}"#);
    assert_eq!(read_from(&Server::responding(with_length(&body))).1.log.as_deref(), Some(&b"START\n"[..]));
}

#[test]
fn heads_are_those_of_every_call() {
    let gone = response("404 Not Found", "x-amzn-ErrorType: ResourceNotFoundException\r\n", r#"{"Message":"no"}"#);
    for (bytes, status, execution) in [
        ("HTTP/1.1 204 No Content\r\n\r\n".to_owned(), Status::Ok, Execution::None),
        (response("202 Accepted", "", ""), Status::Protocol, Execution::Unknown),
        (response("302 Found", "Location: /\r\n", ""), Status::Protocol, Execution::Unknown),
        (gone, Status::Service, Execution::None),
        (response("502 Bad Gateway", "", "?"), Status::Service, Execution::Unknown),
        ("HTTP/1.1 200 OK\r\nContent-Le".to_owned(), Status::Io, Execution::Unknown),
        ("SSH-2.0\r\n\r\n".to_owned(), Status::Protocol, Execution::Unknown),
    ] {
        let (data, outcome) = read_from(&Server::responding(bytes));
        assert_eq!(facts(&outcome), (status, execution, 1, u32::from(execution == Execution::Unknown)), "{outcome:?}");
        assert!(data.is_empty());
    }
}

#[test]
fn attempts_are_retried_until_a_head_says_that_the_function_ran() {
    let busy = response("429 Too Many Requests", "x-amzn-ErrorType: TooManyRequestsException\r\n", "{}");
    let server = Server::start(move |number, mut connection| {
        connection.request();
        match number {
            0 => connection.send(busy.as_bytes()),
            _ => connection.send(&until_closed(&chunk(b"once"))),
        }
    });
    let invocation = Invocation::from(request(b"{}")).retry(RetryMode::Always);
    let (data, outcome) = read_all(server.client().invoke_stream(invocation));
    assert_eq!(facts(&outcome), (Status::Io, Execution::Ran, 2, 0), "{outcome:?}");
    assert_eq!((data, server.connections()), (b"once".to_vec(), 2));
}

#[test]
fn what_cannot_be_streamed_is_refused() {
    let client = Client::new(&support::config("http://127.0.0.1:1")).unwrap();
    let mut event = request(b"{}");
    event.invocation_type = Some("Event".into());
    let mut durable = request(b"{}");
    durable.durable_execution_name = Some("d".into());
    for (invocation, field) in [(event, "invocation_type"), (durable, "durable_execution_name")] {
        let (_, outcome) = read_all(client.invoke_stream(&invocation));
        assert_eq!(facts(&outcome), (Status::InvalidArgument, Execution::None, 0, 0));
        assert!(outcome.error_message.unwrap().contains(field));
        // Also without a look at it.
        assert_eq!(client.invoke_stream(&invocation).finish().status, Status::InvalidArgument);
    }
}

/// Sends a head and `body`, and then nothing. Tells when the client has closed the connection.
fn stalling(body: Vec<u8>) -> (Server, mpsc::Receiver<()>) {
    let (told, tells) = mpsc::channel();
    let told = Mutex::new(told);
    let server = Server::start(move |_, mut connection| {
        connection.request();
        connection.send(&body);
        connection.wait_closed();
        told.lock().unwrap().send(()).unwrap();
    });
    (server, tells)
}

#[test]
fn a_stream_can_be_ended_anywhere_and_closes_its_connection() {
    let begun = until_closed(&chunk(b"1"));
    for (body, execution) in [(begun.clone(), Execution::Ran), (Vec::new(), Execution::Unknown)] {
        // By its deadline.
        let (server, closed) = stalling(body.clone());
        let invocation = Invocation::from(request(b"{}")).timeout(Duration::from_millis(300));
        let (data, outcome) = read_all(server.client().invoke_stream(invocation));
        assert_eq!((outcome.status, outcome.execution), (Status::Timeout, execution), "{outcome:?}");
        assert_eq!(data.is_empty(), body.is_empty());
        closed.recv().unwrap();
        // By an interrupt.
        let (server, closed) = stalling(body.clone());
        let mut stream = server.client().invoke_stream(request(b"{}"));
        let mut polls = 0;
        let mut interrupt = || {
            polls += 1;
            polls > 3
        };
        while let Received::Chunk(_) = stream.next_interruptible(None, Some(&mut interrupt)) {}
        assert_eq!(stream.next(None), Received::Ended(Status::Cancelled));
        assert_eq!(stream.finish().execution, execution);
        closed.recv().unwrap();
        // By another thread, which wakes the one that waits.
        let (server, closed) = stalling(body.clone());
        let mut stream = server.client().invoke_stream(request(b"{}"));
        let canceller = stream.canceller();
        let reader = thread::spawn(move || {
            while let Received::Chunk(_) | Received::Pending = stream.next(None) {}
            (stream.next(None) == Received::Ended(Status::Cancelled), stream.finish())
        });
        while server.connections() == 0 {
            thread::yield_now();
        }
        canceller.cancel();
        let (ended, outcome) = reader.join().unwrap();
        assert!(ended && outcome.status == Status::Cancelled, "{outcome:?}");
        closed.recv_timeout(Duration::from_secs(10)).unwrap();
        // By finish, and by a drop.
        for drops in [false, true] {
            let (server, closed) = stalling(body.clone());
            let mut stream = server.client().invoke_stream(request(b"{}"));
            while stream.next(Some(Duration::from_millis(200))) != Received::Pending {}
            if drops {
                drop(stream);
            } else {
                let outcome = stream.finish();
                assert_eq!((outcome.status, outcome.execution), (Status::Cancelled, execution), "{outcome:?}");
            }
            closed.recv().unwrap();
        }
    }
}

#[test]
fn a_stream_that_nobody_began_sends_nothing() {
    let (server, _) = stalling(Vec::new());
    let outcome = server.client().invoke_stream(request(b"{}")).finish();
    assert_eq!(facts(&outcome), (Status::Cancelled, Execution::None, 0, 0));
    assert_eq!(server.connections(), 0);
    let mut stream = server.client().invoke_stream(request(b"{}"));
    stream.canceller().cancel();
    assert_eq!(stream.next(None), Received::Ended(Status::Cancelled));
    assert_eq!((stream.finish().execution, server.connections()), (Execution::None, 0));
}

#[test]
fn a_stream_whose_end_was_not_read_was_cancelled() {
    let body = [chunk(b"1"), chunk(b"2"), complete("{}")].concat();
    let mut stream = Server::responding(with_length(&body)).client().invoke_stream(request(b"{}"));
    assert_eq!(stream.next(None), Received::Chunk(b"1"));
    let outcome = stream.finish();
    assert_eq!((outcome.status, outcome.execution), (Status::Cancelled, Execution::Ran), "{outcome:?}");
    let message = outcome.error_message.unwrap_or_default();
    assert!(message.starts_with("f: "), "{message}");
}

#[test]
fn polls_get_a_whole_stream() {
    let (go, goes) = mpsc::channel::<()>();
    let goes = Mutex::new(goes);
    let server = Server::start(move |_, mut connection| {
        connection.request();
        connection.send(format!("{HEAD}\r\n").as_bytes());
        for part in [chunk(b"1"), chunk(b"2"), complete("{}")] {
            goes.lock().unwrap().recv().unwrap();
            connection.send(&part);
        }
    });
    let mut stream = server.client().invoke_stream(request(b"{}"));
    let (mut seen, mut pendings) = (Vec::new(), 0);
    loop {
        match stream.next(Some(Duration::ZERO)) {
            Received::Chunk(bytes) => {
                seen.extend_from_slice(bytes);
                pendings = 0;
            }
            Received::Pending => {
                pendings += 1;
                if pendings == 1 {
                    go.send(()).unwrap();
                }
            }
            Received::Ended(status) => {
                assert_eq!(status, Status::Ok);
                break;
            }
        }
    }
    assert_eq!(seen, b"12");
}

/// The server sends the next part only after the reader has what came before.
#[test]
fn what_has_arrived_is_not_held_back() {
    const PATIENCE: Duration = Duration::from_secs(10);
    let whole = |n: u8| chunk(&[n]);
    let half = whole(9).len() / 2;
    let parts: Vec<(Vec<u8>, &[u8])> = vec![
        (whole(1), &[1]),
        (whole(2), &[2]),
        ([whole(3), whole(4)].concat(), &[3, 4]),
        ([whole(5), whole(9)[..half].to_vec()].concat(), &[5]),
        ([whole(9)[half..].to_vec(), whole(6)].concat(), &[9, 6]),
        ([whole(7), event("BrandNew", b"?")].concat(), &[7]),
    ];
    for at_once in [true, false] {
        let (go, goes) = mpsc::channel::<()>();
        let goes = Mutex::new(goes);
        let sent: Vec<Vec<u8>> = parts.iter().map(|(part, _)| part.clone()).collect();
        let server = Server::start(move |_, mut connection| {
            connection.request();
            connection.send(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n").as_bytes());
            let goes = goes.lock().unwrap();
            for part in &sent {
                for piece in part.chunks(if at_once { part.len() } else { 1 }) {
                    connection.send(&http_chunk(piece));
                }
                if goes.recv().is_err() {
                    return;
                }
            }
        });
        let mut stream = server.client().invoke_stream(request(b"{}"));
        for (_, expected) in &parts {
            let (mut seen, began) = (Vec::new(), Instant::now());
            while seen.len() < expected.len() {
                match stream.next(Some(PATIENCE)) {
                    Received::Chunk(bytes) => seen.extend_from_slice(bytes),
                    other => panic!("{other:?} after {seen:?} of {expected:?}"),
                }
            }
            assert_eq!(seen, *expected);
            // At the end of a wait, everything is handed out.
            assert!(began.elapsed() < PATIENCE, "{expected:?} came late");
            go.send(()).unwrap();
        }
    }
}

/// Events without bytes for the reader arrive faster than they are read, until the reader has the chunk in front of them.
#[test]
fn events_that_are_skipped_hold_no_chunk_back() {
    for skipped in [event("BrandNew", &[b'?'; 1000]), chunk(b""), event("BrandNew", &vec![b'?'; 1024 * 1024])] {
        let has_it = Arc::new(AtomicBool::new(false));
        let reader_has_it = Arc::clone(&has_it);
        let server = Server::start(move |_, mut connection| {
            connection.request();
            connection.send(&until_closed(&chunk(b"1")));
            connection.send(&chunk(b"2"));
            let began = Instant::now();
            let batch = skipped.repeat(1 + 1_000_000 / skipped.len());
            while !reader_has_it.load(Ordering::Relaxed) && began.elapsed() < Duration::from_secs(5) {
                connection.send(&batch);
            }
            connection.send(&complete("{}"));
        });
        let mut stream = server.client().invoke_stream(request(b"{}"));
        assert_eq!(stream.next(None), Received::Chunk(b"1"));
        let began = Instant::now();
        assert_eq!(stream.next(None), Received::Chunk(b"2"));
        let waited = began.elapsed();
        has_it.store(true, Ordering::Relaxed);
        assert!(waited < Duration::from_secs(3), "{waited:?}");
        assert_eq!(read_all(stream).1.status, Status::Ok);
    }
}

#[test]
fn a_wait_ends_in_time_also_for_a_stream_that_waits_its_turn() {
    let (server, _closed) = stalling(until_closed(&chunk(b"1")));
    let mut config = server.config();
    config.max_connections = Some(1);
    let client = Client::new(&config).unwrap();
    let mut first = client.invoke_stream(request(b"{}"));
    assert_eq!(first.next(None), Received::Chunk(b"1"));
    let mut second = client.invoke_stream(request(b"{}"));
    let began = Instant::now();
    assert_eq!(second.next(Some(Duration::ZERO)), Received::Pending);
    assert_eq!(second.next(Some(Duration::from_millis(50))), Received::Pending);
    assert!(began.elapsed() >= Duration::from_millis(50) && server.connections() == 1);
    let canceller = second.canceller();
    let waits = thread::spawn(move || (second.next(None) == Received::Ended(Status::Cancelled), second.finish()));
    thread::yield_now();
    canceller.cancel();
    let (ended, outcome) = waits.join().unwrap();
    assert!(ended && outcome.attempts == 0, "{outcome:?}");
    let mut third = client.invoke_stream(request(b"{}"));
    assert_eq!(third.next(Some(Duration::ZERO)), Received::Pending);
    drop(first);
    assert_eq!(third.next(None), Received::Chunk(b"1"));
}

#[test]
fn a_complete_stream_leaves_its_connection_to_later_calls() {
    let body = [chunk(b"1"), complete("{}")].concat();
    let server = Server::start(move |_, mut connection| {
        while let Some(request) = connection.request() {
            match request.head.contains("/2021-11-15/") {
                true => connection.send(&in_http_chunks(body.chunks(20))),
                false => connection.send(response("200 OK", "", "1").as_bytes()),
            }
        }
    });
    let client = server.client();
    for _ in 0..3 {
        assert_eq!(read_all(client.invoke_stream(request(b"{}"))).1.status, Status::Ok);
        assert_eq!(client.invoke(request(b"{}")).status, Status::Ok);
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_long_chunk_is_handed_out_before_it_is_complete() {
    const SIZE: usize = 16 * 1024 * 1024;
    let long = chunk(&vec![b'l'; SIZE]);
    for damaged in [false, true] {
        let (go, goes) = mpsc::channel::<()>();
        let goes = Mutex::new(goes);
        let mut long = long.clone();
        if damaged {
            *long.last_mut().unwrap() ^= 1;
        }
        let server = Server::start(move |_, mut connection| {
            connection.request();
            connection.send(&until_closed(&long[..SIZE / 2]));
            goes.lock().unwrap().recv().unwrap();
            connection.send(&long[SIZE / 2..]);
            connection.send(&complete("{}"));
        });
        let mut stream = server.client().invoke_stream(request(b"{}"));
        let mut received = 0;
        while received < SIZE / 4 {
            let Received::Chunk(bytes) = stream.next(None) else { panic!("it has {received} bytes") };
            received += bytes.len();
        }
        go.send(()).unwrap();
        let (rest, outcome) = read_all(stream);
        assert_eq!(received + rest.len(), SIZE);
        assert_eq!(outcome.status, if damaged { Status::Protocol } else { Status::Ok }, "{outcome:?}");
    }
}

#[test]
fn a_frame_that_claims_2_gb_is_refused() {
    let mut prelude = [0x8000_0000_u32.to_be_bytes(), 0_u32.to_be_bytes()].concat();
    prelude.extend(crc32(&prelude).to_be_bytes());
    let (data, outcome) = read_from(&stalling(until_closed(&prelude)).0);
    assert_eq!((outcome.status, data.len()), (Status::Protocol, 0), "{outcome:?}");
    assert!(outcome.error_message.unwrap().contains("2147483648"));
}

/// Bitwise, unlike the library's.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ if crc & 1 == 1 { 0xEDB8_8320 } else { 0 })
    })
}

#[test]
fn a_stream_may_be_read_by_several_threads_in_turn() {
    let parts: Vec<Vec<u8>> = (0..20).map(|n: u8| chunk(&[n])).collect();
    let body = [parts.concat(), complete("{}")].concat();
    let mut stream = Server::responding(in_http_chunks(body.chunks(30))).client().invoke_stream(request(b"{}"));
    for n in 0..20 {
        stream = thread::spawn(move || {
            assert_eq!(stream.next(None), Received::Chunk(&[n]));
            stream
        })
        .join()
        .unwrap();
    }
    assert_eq!(read_all(stream).1.status, Status::Ok);
}

#[test]
fn it_is_a_reader() {
    let body = [chunk(b"one\ntwo"), chunk(b"\n"), complete("{}")].concat();
    let server = Server::responding(with_length(&body));
    let mut text = String::new();
    server.client().invoke_stream(request(b"{}")).read_to_string(&mut text).unwrap();
    assert_eq!(text, "one\ntwo\n");
    let cut = Server::responding(until_closed(&chunk(b"1")));
    assert!(cut.client().invoke_stream(request(b"{}")).read_to_string(&mut text).is_err());
}
