//! Calls that wait for their turn.

#![allow(clippy::unwrap_used, reason = "these are tests, outside a test function too")]

mod support;

use std::sync::{Mutex, mpsc};
use std::thread;

use lambda_invoke::{Client, LogLevel, Status};
use support::{Server, request, response};

/// The first call is answered only when the log has said that others wait, once for all of them.
#[test]
fn the_log_says_that_calls_wait_and_how_many_may_begin() {
    const CALLS: usize = 4;
    let (told, tells) = mpsc::channel();
    let tells = Mutex::new(tells);
    let server = Server::start(move |_, mut connection| {
        while connection.request().is_some() {
            let message: String = tells.lock().unwrap().recv().unwrap();
            connection.send(response("200 OK", "", &format!("{message:?}")).as_bytes());
        }
    });
    let mut config = server.config();
    config.max_connections = Some(1);
    let count = Mutex::new(0);
    config.set_log(LogLevel::Warn, move |level, _, message| {
        assert_eq!(level, LogLevel::Warn);
        *count.lock().unwrap() += 1;
        assert_eq!(*count.lock().unwrap(), 1, "told again: {message}");
        // One for every call.
        (0..CALLS).for_each(|_| told.send(message.to_owned()).unwrap());
    });
    let client = Client::new(&config).unwrap();
    thread::scope(|scope| {
        let calls: Vec<_> = (0..CALLS).map(|_| scope.spawn(|| client.invoke(request(b"1")))).collect();
        for call in calls {
            let outcome = call.join().unwrap();
            assert_eq!(outcome.status, Status::Ok, "{outcome:?}");
            let message = String::from_utf8(outcome.payload).unwrap();
            assert!(message.contains("f #"), "{message}");
            assert!(message.contains("1 calls of this client") && message.contains("max_connections"), "{message}");
        }
    });
}
