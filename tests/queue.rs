//! Calls through a queue, against a server that counts connections.

#![allow(clippy::unwrap_used, reason = "these are tests, outside a test function too")]

mod support;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

use lambda_invoke::{Client, Completion, Execution, LogLevel, Queue, Status};
use support::{Connection, Server, request, response};

/// Longer than anything takes that a test waits for.
const LONG: Option<Duration> = Some(Duration::from_secs(30));

/// Answers every request with its own payload.
fn echo(_: usize, mut connection: Connection) {
    while let Some(request) = connection.request() {
        connection.send(response("200 OK", "", &String::from_utf8(request.body).unwrap()).as_bytes());
    }
}

fn submit(queue: &Queue, client: &Client, tag: u64) {
    client.submit(queue, request(tag.to_string().as_bytes()), tag).unwrap();
}

fn take(queue: &Queue) -> Completion {
    queue.next(LONG).unwrap()
}

fn take_own_response(queue: &Queue) -> u64 {
    let Completion { tag, outcome, .. } = take(queue);
    assert_eq!(outcome.status, Status::Ok, "{outcome:?}");
    assert_eq!(outcome.payload, tag.to_string().as_bytes());
    tag
}

#[test]
fn ten_thousand_calls_use_no_more_connections_than_may_be_under_way() {
    const CALLS: u64 = 10_000;
    let server = Server::start(echo);
    let mut config = server.config();
    config.max_connections = Some(50);
    let client = Client::new(&config).unwrap();
    let queue = Queue::new().unwrap();
    (0..CALLS).for_each(|tag| submit(&queue, &client, tag));
    let tags: BTreeSet<_> = (0..CALLS).map(|_| take_own_response(&queue)).collect();
    assert_eq!(tags.len() as u64, CALLS);
    assert_eq!(queue.in_flight(), 0);
    assert!(server.connections() <= 50, "{} connections", server.connections());
}

/// All calls of a burst wait for each other at the server, so that each has a connection of its own.
#[test]
fn a_second_burst_finds_the_connections_of_the_first() {
    const BURST: u64 = 100;
    let together = Arc::new(Barrier::new(BURST as usize));
    let server = Server::start(move |_, mut connection| {
        while connection.request().is_some() {
            together.wait();
            connection.send(response("200 OK", "", "").as_bytes());
        }
    });
    let mut config = server.config();
    config.max_connections = Some(BURST as u32);
    let (client, queue) = (Client::new(&config).unwrap(), Queue::new().unwrap());
    for _ in 0..3 {
        (0..BURST).for_each(|tag| submit(&queue, &client, tag));
        (0..BURST).for_each(|_| assert_eq!(take(&queue).outcome.status, Status::Ok));
    }
    assert_eq!(server.connections(), BURST as usize);
}

/// A connection that the server has closed while it rested is not used again: the call would end as unknown.
#[test]
fn a_connection_that_was_closed_while_it_rested_is_not_used() {
    let (closed, closes) = mpsc::channel();
    let server = Server::start(move |_, mut connection| {
        if connection.request().is_some() {
            connection.send(response("200 OK", "", "x").as_bytes());
            drop(connection);
            closed.send(()).unwrap();
        }
    });
    let (client, queue) = (server.client(), Queue::new().unwrap());
    for tag in 0..1_000 {
        submit(&queue, &client, tag);
        let outcome = take(&queue).outcome;
        assert_eq!((outcome.status, outcome.attempts), (Status::Ok, 1), "call {tag}: {outcome:?}");
        closes.recv().unwrap();
    }
}

/// A large response is followed by another call at once: its connection is used, and no other one opened meanwhile.
#[test]
fn a_connection_is_free_again_when_its_response_was_read() {
    let server = Server::start(|_, mut connection| {
        while connection.request().is_some() {
            connection.send(response("200 OK", "", &"x".repeat(3_000_000)).as_bytes());
        }
    });
    let mut config = server.config();
    config.max_connections = Some(1);
    let (client, queue) = (Client::new(&config).unwrap(), Queue::new().unwrap());
    (0..50).for_each(|tag| submit(&queue, &client, tag));
    (0..50).for_each(|_| assert_eq!(take(&queue).outcome.payload.len(), 3_000_000));
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_call_that_is_cancelled_before_it_was_sent_did_not_run() {
    let requests = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&requests);
    let server = Server::start(move |_, mut connection| {
        while connection.request().is_some() {
            seen.fetch_add(1, Ordering::SeqCst);
        }
    });
    let mut config = server.config();
    config.max_connections = Some(1);
    let (client, queue) = (Client::new(&config).unwrap(), Queue::new().unwrap());
    submit(&queue, &client, 1);
    (0..100).for_each(|_| submit(&queue, &client, 2));
    queue.cancel(2);
    for _ in 0..100 {
        let Completion { tag, outcome, .. } = take(&queue);
        assert_eq!((tag, outcome.status, outcome.execution), (2, Status::Cancelled, Execution::None));
    }
    queue.cancel(1);
    assert_eq!(take(&queue).outcome.status, Status::Cancelled);
    assert!(requests.load(Ordering::SeqCst) <= 1);
}

/// The sink of the log runs on the queue's thread, and may use the queue; a dropped queue does not wait for itself.
#[test]
fn a_queue_may_be_dropped_by_its_own_thread() {
    let server = Server::start(echo);
    let queue = Arc::new(std::sync::Mutex::new(Some(Queue::new().unwrap())));
    let (dropped, drops) = mpsc::channel();
    let mut config = server.config();
    let held = Arc::clone(&queue);
    config.set_log(LogLevel::Debug, move |_, _, message| {
        let on_the_queues_thread = thread::current().name() == Some("lambda-queue");
        if on_the_queues_thread && message.contains("attempt 1") {
            let taken = held.lock().unwrap().take();
            drop(taken);
            let _ = dropped.send(());
        }
    });
    let client = Client::new(&config).unwrap();
    {
        let queue = queue.lock().unwrap();
        submit(queue.as_ref().unwrap(), &client, 1);
    }
    drops.recv_timeout(Duration::from_secs(30)).unwrap();
}

/// Inside a runtime of the application's too, where a blocking call is refused.
#[test]
fn a_call_can_be_submitted_inside_a_runtime() {
    let server = Server::start(echo);
    let client = server.client();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let queue = runtime.block_on(async {
        let queue = Queue::new().unwrap();
        submit(&queue, &client, 5);
        queue
    });
    assert_eq!(take_own_response(&queue), 5);
    runtime.block_on(async { drop(queue) });
}
