//! Tests the evidence of src/http/body.rs with the locked hyper. If a server has received a request, then the evidence
//! must never be that nothing was sent; if no server has received it, then the evidence should be that.

#![allow(clippy::unwrap_used, reason = "these are tests, outside a test function too")]

mod support;

use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::mpsc;

use lambda_invoke::{Client, Execution, Status};
use support::{Server, config, request, response};

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
        connection.send(response("200 OK", "", "1").as_bytes());
        drop(connection);
        closed.lock().unwrap().send(()).unwrap();
    });
    let client = server.client();
    for (call, length) in PAYLOADS.iter().cycle().take(60).enumerate() {
        let outcome = client.invoke(request(&vec![b'x'; *length]));
        assert_eq!((outcome.status, outcome.attempts), (Status::Ok, 1), "call {call}: {outcome:?}");
        assert_eq!(server.connections(), call + 1, "each call found a dead connection");
        wait_closed.recv().unwrap();
    }
}

#[test]
fn after_an_early_response_that_is_lost_it_is_unknown_and_the_message_has_the_size() {
    // The first two are below Lambda's limit of 6,291,456 bytes; the last is more than sockets buffer.
    for (length, limit) in [(1_100_000, "1 MB for an Event"), (6_000_000, "6 MB"), (16_000_000, "6 MB")] {
        for status in ["", "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 0\r\n\r\n"] {
            let server = Server::start(|_, mut connection| {
                connection.head();
                connection.send(status.as_bytes());
                connection.reset();
            });
            let mut request = request(&vec![b'x'; length]);
            request.invocation_type = (limit != "6 MB").then(|| "Event".to_owned());
            let outcome = server.client().invoke(request);
            if outcome.http_status == 413 {
                // Whether the response can still be read after the broken upload depends on the system.
                assert_eq!((outcome.status, outcome.execution), (Status::Service, Execution::None), "{outcome:?}");
                continue;
            }
            assert_eq!((outcome.status, outcome.execution), (Status::Io, Execution::Unknown), "{outcome:?}");
            let message = outcome.error_message.unwrap();
            assert!(message.contains(&format!("{length} bytes")) && message.contains(limit), "{message}");
        }
    }
}

#[test]
fn connections_to_a_host_that_breaks_reused_ones_are_not_reused_for_a_while() {
    let (sender, heads) = mpsc::channel();
    let sender = Mutex::new(sender);
    let server = Server::start(move |_, mut connection| {
        let request = connection.request().unwrap();
        sender.lock().unwrap().send(request.header("connection").map(str::to_owned)).unwrap();
        connection.send(response("200 OK", "", "1").as_bytes());
        // The next request reaches a server that no longer responds.
        connection.head();
    });
    let client = server.client();
    let outcomes: Vec<_> = (0..40).map(|_| client.invoke(request(b"{}"))).collect();
    let unknown: Vec<_> =
        outcomes.iter().enumerate().filter(|(_, outcome)| outcome.status != Status::Ok).map(|(call, _)| call).collect();
    assert_eq!(unknown, [1], "only the first call on a reused connection");
    assert_eq!((outcomes[1].status, outcomes[1].execution), (Status::Io, Execution::Unknown));
    assert_eq!(server.connections(), 39, "each later call had its own connection");
    let closes: Vec<_> = heads.try_iter().map(|connection| connection.is_some_and(|value| value == "close")).collect();
    assert_eq!(closes, (0..39).map(|number| number > 0).collect::<Vec<_>>(), "the requests announce it");

    // Others are not affected: another client, another host.
    let good = Server::start(|_, mut connection| {
        while connection.request().is_some() {
            connection.send(response("200 OK", "", "1").as_bytes());
        }
    });
    let other = good.client();
    assert!((0..5).all(|_| other.invoke(request(b"{}")).status == Status::Ok));
    assert_eq!(good.connections(), 1);
}

#[test]
fn a_connection_that_breaks_at_its_first_request_does_not_stop_reuse() {
    let server = Server::start(|number, mut connection| {
        while connection.request().is_some() && number > 0 {
            connection.send(response("200 OK", "", "1").as_bytes());
        }
    });
    let client = server.client();
    assert_eq!(client.invoke(request(b"{}")).execution, Execution::Unknown);
    assert!((0..5).all(|_| client.invoke(request(b"{}")).status == Status::Ok));
    assert_eq!(server.connections(), 2);
}
