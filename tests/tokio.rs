//! Calls from the threads of a program that uses tokio.

#![allow(clippy::unwrap_used, reason = "these are tests, outside a test function too")]

#[path = "support/frames.rs"]
mod frames;
mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use lambda_invoke::{Client, Execution, InvocationRequest, LogLevel, Outcome, Queue, Received, ResponseStream, Status};
use support::{Server, request, response};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::{LocalSet, block_in_place, spawn_blocking, unconstrained};

type Work = Box<dyn FnOnce() + Send>;

fn multi_thread() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn current_thread() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Where a program that uses tokio runs code, and what runs it there.
type Place = (&'static str, fn(Work));

const PLACES: &[Place] = &[
    ("spawn_blocking", |work| multi_thread().block_on(async { spawn_blocking(work).await.unwrap() })),
    ("spawn_blocking, one thread", |work| current_thread().block_on(async { spawn_blocking(work).await.unwrap() })),
    ("block_in_place", |work| multi_thread().block_on(async { block_in_place(work) })),
    ("block_in_place in a task", |work| {
        let runtime = multi_thread();
        runtime.block_on(runtime.spawn(async { block_in_place(work) })).unwrap();
    }),
    ("Handle::enter", |work| {
        let runtime = multi_thread();
        let _entered = runtime.enter();
        work();
    }),
    ("Handle::enter in async code", |work| {
        let other = multi_thread();
        current_thread().block_on(async {
            let _entered = other.enter();
            work();
        });
    }),
    ("block_on", |work| multi_thread().block_on(async { work() })),
    ("block_on, one thread", |work| current_thread().block_on(async { work() })),
    ("unconstrained", |work| multi_thread().block_on(unconstrained(async { work() }))),
    ("a task", |work| {
        let runtime = multi_thread();
        runtime.block_on(runtime.spawn(async { work() })).unwrap();
    }),
    ("a task, one thread", |work| {
        let runtime = current_thread();
        runtime.block_on(runtime.spawn(async { work() })).unwrap();
    }),
    ("a local set", |work| LocalSet::new().block_on(&current_thread(), async { work() })),
    ("no runtime", |work| work()),
];

/// Runs a test's work in every place.
fn everywhere(work: impl Fn(&str) + Clone + Send + 'static) {
    for (place, run) in PLACES {
        let work = work.clone();
        run(Box::new(move || work(place)));
    }
}

fn ok() -> Server {
    Server::start(|_, mut connection| {
        while connection.request().is_some() {
            connection.send(response("200 OK", "", "1").as_bytes());
        }
    })
}

/// Responds to no request.
fn silent() -> Server {
    Server::start(|_, mut connection| connection.wait_closed())
}

#[track_caller]
fn expect_ok(place: &str, outcome: &Outcome) {
    assert_eq!(
        (outcome.status, outcome.execution, outcome.attempts),
        (Status::Ok, Execution::Ran, 1),
        "{place}: {outcome:?}"
    );
}

#[test]
fn a_call_may_be_made_everywhere() {
    let server = ok();
    let client = Arc::new(server.client());
    everywhere(move |place| (0..3).for_each(|_| expect_ok(place, &client.invoke(request(b"{}")))));
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_client_may_be_made_and_dropped_everywhere() {
    let server = ok();
    let config = server.config();
    everywhere(move |place| {
        let client = Client::new(&config).unwrap();
        expect_ok(place, &client.invoke(request(b"{}")));
        client.release_idle();
        expect_ok(place, &client.invoke(request(b"{}")));
    });
    assert_eq!(server.connections(), 2 * PLACES.len());
}

/// More calls than processors, which share a runtime.
#[test]
fn many_calls_may_be_made_from_spawn_blocking() {
    const CALLS: usize = 64;
    let server = ok();
    let client = Arc::new(server.client());
    for runtime in [multi_thread(), current_thread()] {
        let calls: Vec<_> = (0..CALLS)
            .map(|_| {
                let client = Arc::clone(&client);
                runtime.spawn_blocking(move || client.invoke(request(b"{}")))
            })
            .collect();
        calls.into_iter().for_each(|call| expect_ok("spawn_blocking", &runtime.block_on(call).unwrap()));
    }
}

#[test]
fn an_interrupt_is_polled_on_the_callers_thread() {
    let server = silent();
    let client = Arc::new(server.client());
    everywhere(move |place| {
        let (here, began, mut polls) = (thread::current().id(), Instant::now(), 0);
        let outcome = client.invoke_interruptible(request(b"{}"), &mut || {
            assert_eq!(thread::current().id(), here, "{place}");
            polls += 1;
            began.elapsed() > Duration::from_millis(300)
        });
        assert_eq!(
            (outcome.status, outcome.execution),
            (Status::Cancelled, Execution::Unknown),
            "{place}: {outcome:?}"
        );
        assert!(polls >= 2, "{place}: {polls}");
    });
}

#[test]
fn an_interrupt_that_panics_ends_the_call() {
    let server = silent();
    let client = Arc::new(server.client());
    everywhere(move |place| {
        let (began, mut polls) = (Instant::now(), 0);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            client.invoke_interruptible(request(b"{}"), &mut || {
                polls += 1;
                assert!(polls < 3, "on purpose");
                false
            })
        }));
        assert!(panicked.is_err() && began.elapsed() < Duration::from_secs(10), "{place}: {:?}", began.elapsed());
    });
}

fn read(place: &str, mut stream: ResponseStream) {
    let mut bytes = Vec::new();
    loop {
        match stream.next(None) {
            Received::Chunk(chunk) => bytes.extend_from_slice(chunk),
            ended => break assert_eq!(ended, Received::Ended(Status::Ok), "{place}"),
        }
    }
    assert_eq!(bytes, b"12", "{place}");
    expect_ok(place, &stream.finish());
}

#[test]
fn a_stream_may_be_read_and_dropped_everywhere() {
    let server = Server::start(|_, mut connection| {
        let frames = [
            frames::event("PayloadChunk", b"1"),
            frames::event("PayloadChunk", b"2"),
            frames::event("InvokeComplete", b"{}"),
        ];
        while connection.request().is_some() {
            let body: Vec<u8> = frames.concat();
            connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes());
            connection.send(&body);
        }
    });
    let client = Arc::new(server.client());
    everywhere(move |place| {
        read(place, client.invoke_stream(request(b"{}")));
        let mut dropped = client.invoke_stream(request(b"{}"));
        assert_eq!(dropped.next(None), Received::Chunk(b"1"), "{place}");
        drop(dropped);
    });
}

#[test]
fn a_queue_may_be_used_everywhere() {
    let server = ok();
    let client = Arc::new(server.client());
    everywhere(move |place| {
        let queue = Queue::new().unwrap();
        client.submit(&queue, request(b"{}"), 7).unwrap();
        expect_ok(place, &queue.next(Some(Duration::from_secs(30))).unwrap().outcome);
        client.submit(&queue, request(b"{}"), 8).unwrap();
    });
}

/// A log callback runs inside the runtime of the call whose event it receives.
#[test]
fn a_call_inside_a_log_callback_is_refused() {
    let server = ok();
    let inner = Arc::new(Mutex::new(Vec::new()));
    let own: Arc<OnceLock<Client>> = Arc::default();
    let (place, refused) = (Arc::clone(&own), Arc::clone(&inner));
    let mut config = server.config();
    config.set_log(LogLevel::Trace, move |_, _, message| {
        if message.contains("attempt 1: RequestResponse")
            && let Some(client) = place.get()
        {
            let mut stream = client.invoke_stream(request(b"{}"));
            let read = match stream.next(None) {
                Received::Ended(status) => status,
                received => panic!("{received:?}"),
            };
            refused.lock().unwrap().push((client.invoke(request(b"{}")), read));
        }
    });
    let client = own.get_or_init(|| Client::new(&config).unwrap());
    let queue = Queue::new().unwrap();
    client.submit(&queue, request(b"{}"), 1).unwrap();
    expect_ok("a queue", &queue.next(None).unwrap().outcome);
    let waits = || client.invoke(request(b"{}"));
    expect_ok("alone", &waits());
    thread::scope(|scope| {
        let calls: Vec<_> = (0..16).map(|_| scope.spawn(waits)).collect();
        calls.into_iter().for_each(|call| expect_ok("beside others", &call.join().unwrap()));
    });
    multi_thread().block_on(async { expect_ok("async code", &waits()) });
    let inner = inner.lock().unwrap();
    assert_eq!(inner.len(), 19);
    for (outcome, read) in inner.iter() {
        assert_eq!((outcome.status, outcome.execution), (Status::InvalidArgument, Execution::None), "{outcome:?}");
        assert!(outcome.error_message.as_ref().unwrap().contains("log callback"), "{outcome:?}");
        assert_eq!(*read, Status::InvalidArgument);
    }
}

/// The refusal is itself an event.
#[test]
fn a_log_callback_that_calls_at_every_event_does_not_call_itself() {
    let server = ok();
    let (depth, deepest): (AtomicUsize, Arc<AtomicUsize>) = Default::default();
    let own: Arc<OnceLock<Client>> = Arc::default();
    let (place, seen) = (Arc::clone(&own), Arc::clone(&deepest));
    let mut config = server.config();
    config.set_log(LogLevel::Trace, move |_, _, message| {
        let Some(client) = place.get() else { return };
        seen.fetch_max(depth.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
        assert!(depth.load(Ordering::SeqCst) < 5, "{message}");
        client.invoke(request(b"{}"));
        depth.fetch_sub(1, Ordering::SeqCst);
    });
    let client = own.get_or_init(|| Client::new(&config).unwrap());
    expect_ok("", &client.invoke(request(b"{}")));
    // This one is refused before a runtime is driven.
    let refused = InvocationRequest::default();
    assert_eq!(client.invoke(refused).status, Status::InvalidArgument);
    assert_eq!(deepest.load(Ordering::SeqCst), 0);
}

/// A callback that waits for its own client would wait for itself, wherever the call runs.
#[test]
fn a_credentials_callback_that_calls_with_its_own_client_is_refused_everywhere() {
    let server = ok();
    let config = server.config();
    everywhere(move |name| {
        for inner in PLACES {
            let own: Arc<OnceLock<Client>> = Arc::default();
            let place = Arc::clone(&own);
            let mut config = config.clone();
            config.unset_credentials();
            config.set_credentials_callback(move || {
                let (place, (sender, receiver)) = (Arc::clone(&place), std::sync::mpsc::channel());
                // Places on other threads are none of the callback's.
                if inner.0.contains("blocking") || inner.0.contains("task") {
                    return Err("its own client".to_owned());
                }
                inner.1(Box::new(move || {
                    let client = place.get().unwrap();
                    let read = client.invoke_stream(request(b"{}"));
                    sender.send((client.invoke(request(b"{}")), read_to_end(read))).unwrap();
                }));
                let (called, read) = receiver.recv().unwrap();
                assert_eq!(called.error_message, read.error_message);
                Err(called.error_message.unwrap_or_default())
            });
            let outcome = own.get_or_init(|| Client::new(&config).unwrap()).invoke(request(b"{}"));
            assert_eq!(outcome.status, Status::Credentials, "{name}, {}: {outcome:?}", inner.0);
            assert!(outcome.duration < Duration::from_secs(10), "{name}, {}: {outcome:?}", inner.0);
            assert!(outcome.error_message.unwrap().contains("its own client"));
        }
    });
}

fn read_to_end(mut stream: ResponseStream) -> Outcome {
    while !matches!(stream.next(None), Received::Ended(_)) {}
    stream.finish()
}

#[test]
fn handles_stay_where_they_were() {
    let server = ok();
    let client = server.client();
    let runtime = multi_thread();
    let _entered = runtime.enter();
    expect_ok("Handle::enter", &client.invoke(request(b"{}")));
    assert_eq!(Handle::current().id(), runtime.handle().id());
}
