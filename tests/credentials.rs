//! Keys that the service takes for expired, and a callback that gives others.

#![allow(clippy::unwrap_used, reason = "these are tests, outside a test function too")]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, OnceLock};
use std::time::{Duration, SystemTime};

use lambda_invoke::{Client, Config, Credentials, Execution, RetryMode, Status};
use support::{Server, answer, request};

/// Takes every key but the first for good.
fn server() -> Server {
    Server::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            let answer = match request.header("authorization").unwrap().contains("Credential=AKID0/") {
                true => answer("403 Forbidden", "x-amzn-ErrorType: ExpiredTokenException\r\n", r#"{"message":"old"}"#),
                false => answer("200 OK", "", "1"),
            };
            connection.send(answer.as_bytes());
        }
    })
}

/// A client whose callback answers as `script` does to its question number 0, 1, ...; and how many it was asked.
fn client(
    server: &Server,
    change: impl FnOnce(&mut Config),
    script: impl Fn(usize) -> Result<Credentials, String> + Send + Sync + 'static,
) -> (Client, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let mut config = server.config();
    config.unset_credentials();
    let count = Arc::clone(&asked);
    config.set_credentials_callback(move || script(count.fetch_add(1, Ordering::SeqCst)));
    change(&mut config);
    (Client::new(&config).unwrap(), asked)
}

fn keys(number: usize) -> Result<Credentials, String> {
    let expires = SystemTime::now() + Duration::from_secs(3_600);
    Ok(Credentials::new(&format!("AKID{number}"), "secret", Some("token"), Some(expires)).unwrap())
}

#[test]
fn an_expired_token_is_worth_one_more_attempt_with_other_keys() {
    let server = server();
    let (client, asked) = client(&server, |_| {}, keys);
    let outcome = client.invoke(request(b"{}"));
    assert_eq!((outcome.status, outcome.execution, outcome.attempts), (Status::Ok, Execution::Ran, 2), "{outcome:?}");
    // The new ones serve on.
    let outcome = client.invoke(request(b"{}"));
    assert_eq!((outcome.status, outcome.attempts, asked.load(Ordering::SeqCst)), (Status::Ok, 1, 2), "{outcome:?}");
}

#[test]
fn the_same_keys_are_not_sent_again() {
    let server = server();
    let (client, asked) = client(&server, |_| {}, |_| keys(0));
    let outcome = client.invoke(request(b"{}"));
    assert_eq!((outcome.status, outcome.http_status, outcome.attempts), (Status::Service, 403, 1), "{outcome:?}");
    assert_eq!((outcome.error_type.as_deref(), outcome.execution), (Some("ExpiredTokenException"), Execution::None));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[test]
fn without_others_the_services_answer_stands_and_says_why() {
    let server = server();
    let (client, _) = client(&server, |_| {}, |number| if number == 0 { keys(0) } else { Err("log in".to_owned()) });
    let outcome = client.invoke(request(b"{}"));
    assert_eq!((outcome.status, outcome.http_status, outcome.attempts), (Status::Service, 403, 1), "{outcome:?}");
    let message = outcome.error_message.unwrap();
    assert!(message.contains("old") && message.contains("log in"), "{message}");
}

#[test]
fn nothing_is_tried_again_where_that_is_not_wanted() {
    let server = server();
    let (client, asked) = client(&server, |config| config.retry = Some(RetryMode::None), keys);
    assert_eq!(client.invoke(request(b"{}")).attempts, 1);
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn many_calls_that_need_keys_at_once_ask_once() {
    const THREADS: usize = 8;
    let server = server();
    let all = Barrier::new(THREADS);
    let (client, asked) = client(&server, |_| {}, |_| keys(1));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                all.wait();
                let outcome = client.invoke(request(b"{}"));
                assert_eq!((outcome.status, outcome.attempts), (Status::Ok, 1), "{outcome:?}");
            });
        }
    });
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[test]
fn a_callback_that_calls_with_its_own_client_does_not_wait_for_itself() {
    let server = server();
    let own: Arc<OnceLock<Client>> = Arc::default();
    let place = Arc::clone(&own);
    let (client, _) = client(
        &server,
        |_| {},
        move |_| Err(place.get().unwrap().invoke(request(b"{}")).error_message.unwrap_or_default()),
    );
    let outcome = own.get_or_init(|| client).invoke(request(b"{}"));
    assert_eq!((outcome.status, server.connections()), (Status::Credentials, 0), "{outcome:?}");
    assert!(outcome.error_message.unwrap().contains("its own client"));
}

#[test]
fn a_refusal_is_asked_about_again_by_the_next_call() {
    let server = server();
    let (client, asked) =
        client(&server, |_| {}, |number| if number == 0 { Err("log in".to_owned()) } else { keys(1) });
    assert_eq!(client.invoke(request(b"{}")).status, Status::Credentials);
    assert_eq!(client.invoke(request(b"{}")).status, Status::Ok);
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}
