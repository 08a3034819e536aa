//! Errors of proxies. Also checks that the messages by which transport.rs recognises them are those of the locked
//! hyper-util.

#![allow(clippy::unwrap_used, reason = "these are tests, outside a test function too")]

mod support;

use std::sync::mpsc;

use lambda_invoke::{Client, Execution, Outcome, Status};
use support::{Server, config, request, response};

const HTTPS: &str = "https://lambda.example:8443";
const HTTP: &str = "http://lambda.example:8080";

fn invoke(endpoint: &str, proxy: &str) -> Outcome {
    let mut config = config(endpoint);
    config.proxy = Some(proxy.to_owned());
    Client::new(&config).unwrap().invoke(request(b"{}"))
}

/// Checks that nothing passed the proxy, and that the message names it, but not its password.
fn is_stopped(outcome: &Outcome, status: Status, proxy: &Server, attempts: u32) {
    assert_eq!((outcome.status, outcome.execution), (status, Execution::None), "{outcome:?}");
    assert_eq!((outcome.attempts, outcome.unknown_attempts), (attempts, 0), "{outcome:?}");
    assert_eq!(proxy.connections(), attempts as usize);
    let message = outcome.error_message.as_ref().unwrap();
    assert!(message.contains(&proxy.address.to_string()) && message.contains("lambda.example"), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
}

#[test]
fn a_proxy_that_rejects_the_password_is_not_retried() {
    for endpoint in [HTTPS, HTTP] {
        for (user, part) in [("", "asks for a user"), ("me:hunter2@", "rejects the user")] {
            let headers = "Proxy-Authenticate: Basic realm=\"x\"\r\n";
            let proxy = Server::responding(response("407 Proxy Authentication Required", headers, "no"));
            let outcome = invoke(endpoint, &format!("http://{user}{}", proxy.address));
            is_stopped(&outcome, Status::Connect, &proxy, 1);
            assert!(outcome.error_message.unwrap().contains(part));
        }
    }
}

#[test]
fn a_refused_tunnel_is_a_connect_error() {
    for refusal in [response("403 Forbidden", "", "no"), response("502 Bad Gateway", "", ""), String::new()] {
        let proxy = Server::responding(refusal.as_str());
        let outcome = invoke(HTTPS, &format!("http://me:hunter2@{}", proxy.address));
        is_stopped(&outcome, Status::Connect, &proxy, 3);
    }
}

#[test]
fn a_socks_proxy_that_refuses_is_a_connect_error() {
    let proxy = Server::start(|_, mut connection| {
        // SOCKS version 5; no authentication method is acceptable.
        connection.send(&[5, 0xff]);
        connection.wait_closed();
    });
    let outcome = invoke(HTTPS, &format!("socks5h://me:hunter2@{}", proxy.address));
    is_stopped(&outcome, Status::Connect, &proxy, 3);
}

#[test]
fn the_message_names_a_proxy_that_does_not_exist() {
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for endpoint in [HTTPS, HTTP] {
        let outcome = invoke(endpoint, &format!("http://{gone}"));
        assert_eq!((outcome.status, outcome.execution), (Status::Connect, Execution::None), "{outcome:?}");
        assert!(outcome.error_message.as_ref().unwrap().contains(&gone.to_string()), "{outcome:?}");
    }
    let label = "x".repeat(64);
    let outcome = invoke(HTTPS, &format!("http://{label}.example:3128"));
    assert_eq!((outcome.status, outcome.execution), (Status::Resolve, Execution::None), "{outcome:?}");
    assert!(outcome.error_message.unwrap().contains(&label));
}

#[test]
fn a_plain_request_passes_through_with_the_proxys_password() {
    let (sender, seen) = mpsc::channel();
    let proxy = Server::start(move |_, mut connection| {
        let request = connection.request().unwrap();
        let authorization = request.header("proxy-authorization").map(str::to_owned);
        sender.send((request.head.lines().next().unwrap().to_owned(), authorization)).unwrap();
        connection.send(response("200 OK", "", "1").as_bytes());
    });
    let outcome = invoke(HTTP, &format!("http://me:hunter2@{}", proxy.address));
    assert_eq!((outcome.status, outcome.execution), (Status::Ok, Execution::Ran), "{outcome:?}");
    let (line, authorization) = seen.recv().unwrap();
    assert!(line.starts_with("POST http://lambda.example:8080/2015-03-31/functions/f/invocations "), "{line}");
    assert_eq!(authorization.as_deref(), Some("Basic bWU6aHVudGVyMg=="));
}

#[test]
fn a_407_of_the_service_is_not_taken_for_the_proxys() {
    let server = Server::responding(response("407 Proxy Authentication Required", "", "no"));
    let outcome = server.client().invoke(request(b"{}"));
    assert_eq!((outcome.status, outcome.execution, outcome.http_status), (Status::Service, Execution::None, 407));
}
