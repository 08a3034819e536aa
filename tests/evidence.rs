//! Pins the evidence of src/http/body.rs against the locked hyper: it must never say "nothing left" of a request that a
//! server has, and should say so of one that nobody has.

#![allow(clippy::unwrap_used, reason = "these are tests, outside a test function too")]

mod support;

use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::mpsc;

use lambda_invoke::{Client, Execution, Status};
use support::{Server, answer, config, request};

const PAYLOADS: [usize; 3] = [0, 4, 6_000_000];

#[test]
fn a_refused_connection_is_none() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = Client::new(&config(&format!("http://{address}"))).unwrap();
    for length in PAYLOADS {
        let outcome = client.invoke(request(&vec![b'x'; length]));
        assert_eq!((outcome.status, outcome.execution), (Status::Connect, Execution::None), "{outcome:?}");
        assert_eq!((outcome.attempts, outcome.unknown_attempts, outcome.http_status), (3, 0, 0));
        assert!(outcome.error_message.unwrap().contains(&address.to_string()));
    }
}

#[test]
fn a_request_that_was_read_and_then_dropped_is_unknown() {
    for length in PAYLOADS {
        let server = Server::start(|_, mut connection| {
            connection.request();
        });
        let outcome = server.client().invoke(request(&vec![b'x'; length]));
        assert_eq!((outcome.status, outcome.execution), (Status::Io, Execution::Unknown), "{length}: {outcome:?}");
        assert_eq!((outcome.attempts, outcome.unknown_attempts, server.connections()), (1, 1, 1), "{length}");
    }
}

#[test]
fn a_request_whose_head_was_read_and_then_reset_is_unknown() {
    for length in PAYLOADS {
        let server = Server::start(|_, mut connection| {
            connection.head();
            connection.reset();
        });
        let outcome = server.client().invoke(request(&vec![b'x'; length]));
        assert_eq!((outcome.status, outcome.execution), (Status::Io, Execution::Unknown), "{length}: {outcome:?}");
        assert_eq!((outcome.attempts, outcome.unknown_attempts), (1, 1), "{length}");
    }
}

#[test]
fn a_dead_connection_from_the_pool_is_replaced_without_an_attempt() {
    let (closed, wait_closed) = mpsc::channel();
    let closed = Mutex::new(closed);
    let server = Server::start(move |_, mut connection| {
        connection.request().unwrap();
        connection.send(answer("200 OK", "", "1").as_bytes());
        drop(connection);
        closed.lock().unwrap().send(()).unwrap();
    });
    let client = server.client();
    for (call, length) in PAYLOADS.iter().cycle().take(60).enumerate() {
        let outcome = client.invoke(request(&vec![b'x'; *length]));
        assert_eq!((outcome.status, outcome.attempts), (Status::Ok, 1), "call {call}: {outcome:?}");
        assert_eq!(server.connections(), call + 1, "each call found its connection dead");
        wait_closed.recv().unwrap();
    }
}

#[test]
fn an_early_answer_that_is_lost_leaves_it_open_and_names_the_size() {
    // More than sockets buffer, so that the client is still writing when the connection is reset.
    let length = 32_000_000;
    let server = Server::start(|_, mut connection| {
        connection.head();
        connection.reset();
    });
    let outcome = server.client().invoke(request(&vec![b'x'; length]));
    assert_eq!((outcome.status, outcome.execution), (Status::Io, Execution::Unknown), "{outcome:?}");
    let message = outcome.error_message.unwrap();
    assert!(message.contains("32000000 bytes") && message.contains("6 MB"), "{message}");
}
