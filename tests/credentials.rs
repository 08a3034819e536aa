//! Credentials that the service reports as expired, and a callback that provides new ones.

#![allow(clippy::unwrap_used, reason = "these are tests, outside a test function too")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, OnceLock};
use std::time::{Duration, SystemTime};

use lambda_invoke::{Client, Config, Credentials, Execution, Queue, RetryMode, Status};
use support::{Server, request, response};

/// Accepts all credentials but the first.
fn server() -> Server {
    Server::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            let response = match request.header("authorization").unwrap().contains("Credential=AKID0/") {
                true => {
                    response("403 Forbidden", "x-amzn-ErrorType: ExpiredTokenException\r\n", r#"{"message":"old"}"#)
                }
                false => response("200 OK", "", "1"),
            };
            connection.send(response.as_bytes());
        }
    })
}

/// Makes a client whose callback returns the result of `script` for the number of the call, counted from 0. Also
/// returns the count of calls.
fn client(
    server: &Server,
    change: impl FnOnce(&mut Config),
    script: impl Fn(usize) -> Result<Credentials, String> + Send + Sync + 'static,
) -> (Client, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let mut config = server.config();
    config.unset_credentials();
    let count = Arc::clone(&calls);
    config.set_credentials_callback(move || script(count.fetch_add(1, Ordering::SeqCst)));
    change(&mut config);
    (Client::new(&config).unwrap(), calls)
}

fn credentials(number: usize) -> Result<Credentials, String> {
    let expires = SystemTime::now() + Duration::from_secs(3_600);
    Ok(Credentials::new(&format!("AKID{number}"), "secret", Some("token"), Some(expires)).unwrap())
}

#[test]
fn an_expired_token_is_retried_once_with_new_credentials() {
    let server = server();
    let (client, calls) = client(&server, |_| {}, credentials);
    let outcome = client.invoke(request(b"{}"));
    assert_eq!((outcome.status, outcome.execution, outcome.attempts), (Status::Ok, Execution::Ran, 2), "{outcome:?}");
    // The new credentials stay in use.
    let outcome = client.invoke(request(b"{}"));
    assert_eq!((outcome.status, outcome.attempts, calls.load(Ordering::SeqCst)), (Status::Ok, 1, 2), "{outcome:?}");
}

#[test]
fn the_same_credentials_are_not_sent_again() {
    let server = server();
    let (client, calls) = client(&server, |_| {}, |_| credentials(0));
    let outcome = client.invoke(request(b"{}"));
    assert_eq!((outcome.status, outcome.http_status, outcome.attempts), (Status::Service, 403, 1), "{outcome:?}");
    assert_eq!((outcome.error_type.as_deref(), outcome.execution), (Some("ExpiredTokenException"), Execution::None));
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[test]
fn without_new_credentials_the_services_error_is_kept_and_the_reason_added() {
    let server = server();
    let (client, _) =
        client(&server, |_| {}, |number| if number == 0 { credentials(0) } else { Err("log in".to_owned()) });
    let outcome = client.invoke(request(b"{}"));
    assert_eq!((outcome.status, outcome.http_status, outcome.attempts), (Status::Service, 403, 1), "{outcome:?}");
    let message = outcome.error_message.unwrap();
    assert!(message.contains("old") && message.contains("log in"), "{message}");
}

#[test]
fn nothing_is_retried_in_mode_none() {
    let server = server();
    let (client, calls) = client(&server, |config| config.retry = Some(RetryMode::None), credentials);
    assert_eq!(client.invoke(request(b"{}")).attempts, 1);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn concurrent_calls_share_one_call_of_the_callback() {
    const THREADS: usize = 8;
    let server = server();
    let all = Barrier::new(THREADS);
    let (client, calls) = client(&server, |_| {}, |_| credentials(1));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                all.wait();
                let outcome = client.invoke(request(b"{}"));
                assert_eq!((outcome.status, outcome.attempts), (Status::Ok, 1), "{outcome:?}");
            });
        }
    });
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn a_callback_that_calls_with_its_own_client_is_refused_at_once() {
    // With one connection the inner call would also wait for the permit of the outer one.
    for max_connections in [1, 8] {
        let server = server();
        let own: Arc<OnceLock<Client>> = Arc::default();
        let place = Arc::clone(&own);
        let (client, _) = client(
            &server,
            |config| config.max_connections = Some(max_connections),
            move |_| Err(place.get().unwrap().invoke(request(b"{}")).error_message.unwrap_or_default()),
        );
        let outcome = own.get_or_init(|| client).invoke(request(b"{}"));
        assert_eq!((outcome.status, server.connections()), (Status::Credentials, 0), "{outcome:?}");
        assert!(outcome.duration < Duration::from_secs(10), "{outcome:?}");
        assert!(outcome.error_message.unwrap().contains("its own client"));
    }
}

#[test]
fn a_callback_that_submits_to_a_queue_with_its_own_client_is_refused_at_once() {
    let server = server();
    let own: Arc<OnceLock<Client>> = Arc::default();
    let place = Arc::clone(&own);
    let (client, _) = client(
        &server,
        |_| {},
        move |_| {
            let queue = Queue::new().unwrap();
            place.get().unwrap().submit(&queue, request(b"{}"), 7).unwrap();
            Err(queue.next(None).unwrap().outcome.error_message.unwrap_or_default())
        },
    );
    let client = own.get_or_init(|| client);
    let queue = Queue::new().unwrap();
    client.submit(&queue, request(b"{}"), 1).unwrap();
    let (blocking, queued) = (client.invoke(request(b"{}")), queue.next(None).unwrap().outcome);
    for outcome in [blocking, queued] {
        assert_eq!((outcome.status, server.connections()), (Status::Credentials, 0), "{outcome:?}");
        assert!(outcome.duration < Duration::from_secs(10), "{outcome:?}");
        assert!(outcome.error_message.unwrap().contains("its own client"));
    }
}

#[test]
fn after_a_failure_the_next_call_calls_the_callback_again() {
    let server = server();
    let (client, calls) =
        client(&server, |_| {}, |number| if number == 0 { Err("log in".to_owned()) } else { credentials(1) });
    assert_eq!(client.invoke(request(b"{}")).status, Status::Credentials);
    assert_eq!(client.invoke(request(b"{}")).status, Status::Ok);
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}
