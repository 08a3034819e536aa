//! What a streamed response costs in memory: in processes of their own.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests, outside a test function too")]

mod support;

use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use lambda_invoke::{Received, Status};
use support::{Server, request};

const HEAD: &str = "HTTP/1.1 200 OK\r\n";

/// One test at a time: the other one's memory would count.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn event(name: &'static str, payload: Vec<u8>) -> Vec<u8> {
    let text = |text: &'static str| HeaderValue::String(text.into());
    let message = Message::new(payload)
        .add_header(Header::new(":message-type", text("event")))
        .add_header(Header::new(":event-type", text(name)));
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes
}

/// The kernel's buffers are the only ones that fill when nobody reads.
#[test]
fn the_reader_sets_the_pace() {
    const CHUNK: usize = 64 * 1024;
    const STEP: usize = 100;
    let _alone = alone();
    let (told, tells) = mpsc::channel();
    let told = Mutex::new(told);
    let server = Server::start(move |_, mut connection| {
        connection.request();
        connection.send(format!("{HEAD}\r\n").as_bytes());
        connection.0.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
        let payload = event("PayloadChunk", vec![0; CHUNK]);
        let mut sent = 0;
        while connection.0.write_all(&payload).is_ok() {
            sent += CHUNK;
            assert!(sent < CHUNK * 10_000, "everything was taken");
        }
        told.lock().unwrap().send(sent).unwrap();
    });
    let mut stream = server.client().invoke_stream(request(b"{}"));
    let before = resident();
    let Received::Chunk(_) = stream.next(None) else { panic!("there is a chunk") };
    let sent = tells.recv().unwrap();
    let grown = resident().saturating_sub(before);
    assert!(grown < 3 * 1024 * 1024, "{sent} bytes were sent, and the process grew by {grown}");
    for _ in 0..STEP.min(sent / CHUNK - 1) {
        assert!(matches!(stream.next(None), Received::Chunk(_)));
    }
}

/// What waits holds more memory than the bytes that the reader gets of it: a frame, and the buffer it was received in.
#[test]
fn small_events_wait_in_little_memory() {
    let _alone = alone();
    for (size, has_http_chunks) in [(1, false), (1, true), (100, false), (100, true)] {
        let server = Server::start(move |_, mut connection| {
            connection.request();
            let event = event("PayloadChunk", vec![0; size]);
            let (head, piece) = match has_http_chunks {
                false => ("", event),
                true => {
                    let length = format!("{:x}\r\n", event.len());
                    ("Transfer-Encoding: chunked\r\n", [length.as_bytes(), &event, b"\r\n"].concat())
                }
            };
            connection.send(format!("{HEAD}{head}\r\n").as_bytes());
            let pieces = piece.repeat(1000);
            // Until the reader closes the connection.
            while connection.0.write_all(&pieces).is_ok() {}
        });
        let mut stream = server.client().invoke_stream(request(b"{}"));
        let before = resident();
        let mut most = before;
        for _ in 0..10_000 {
            assert!(matches!(stream.next(None), Received::Chunk(_)));
            most = most.max(resident());
        }
        let grown = most - before;
        assert!(grown < 3 * 1024 * 1024, "the process grew by {grown} for events of {size} bytes");
    }
}

/// Reading 200 MB takes no more memory than reading 2 MB.
#[test]
fn memory_stays_flat() {
    const CHUNK: usize = 1024 * 1024;
    let _alone = alone();
    let server = Server::start(move |_, mut connection| {
        connection.request();
        connection.send(format!("{HEAD}\r\n").as_bytes());
        let payload = event("PayloadChunk", vec![0; CHUNK]);
        for _ in 0..200 {
            connection.send(&payload);
        }
        connection.send(&event("InvokeComplete", b"{}".to_vec()));
    });
    let mut stream = server.client().invoke_stream(request(b"{}"));
    let (mut received, mut early, mut most) = (0, 0, 0);
    while let Received::Chunk(bytes) = stream.next(None) {
        received += bytes.len();
        let now = resident();
        if received < 2 * CHUNK {
            early = now;
        }
        most = most.max(now);
    }
    assert_eq!((received, stream.finish().status), (200 * CHUNK, Status::Ok));
    assert!(most < early + 4 * CHUNK, "{early} bytes at first, {most} later");
}

fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
