//! Tests the rows of "Did it run?" (ARCHITECTURE.md) with scripted servers.

#![allow(clippy::unwrap_used, reason = "these are tests, outside a test function too")]

mod support;

use std::io::Read as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use lambda_invoke::{Client, Execution, Invocation, InvocationRequest, Outcome, RetryMode, Status};
use support::{Server, config, request, response};

fn invoke(server: &Server) -> Outcome {
    server.client().invoke(request(b"{}"))
}

/// Returns status, execution, attempts and unknown attempts of one call.
fn facts(outcome: &Outcome) -> (Status, Execution, u32, u32) {
    (outcome.status, outcome.execution, outcome.attempts, outcome.unknown_attempts)
}

#[test]
fn after_a_response_outside_the_protocol_it_is_unknown_whether_the_function_ran() {
    for bytes in [
        "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
        "\0\0\0".to_owned(),
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n".to_owned(),
        response("302 Found", "Location: http://127.0.0.1:1/\r\n", ""),
        response("307 Temporary Redirect", "Location: /\r\n", ""),
        response("201 Created", "", "{}"),
        response("206 Partial Content", "", "{}"),
        format!("HTTP/1.1 200 OK\r\n{}\r\n", "X-Filler: x\r\n".repeat(60_000)),
    ] {
        let server = Server::responding(bytes.clone());
        let outcome = invoke(&server);
        let expected = (Status::Protocol, Execution::Unknown, 1, 1);
        assert_eq!(facts(&outcome), expected, "{:.60}: {outcome:?}", bytes.escape_debug().to_string());
        assert_eq!(server.connections(), 1, "nothing is followed or retried");
    }
}

#[test]
fn after_a_head_that_is_cut_it_is_unknown_whether_the_function_ran() {
    for bytes in ["", "HTTP/1.1 200 OK\r\nContent-Le"] {
        let outcome = invoke(&Server::responding(bytes));
        assert_eq!(facts(&outcome), (Status::Io, Execution::Unknown, 1, 1), "{bytes}: {outcome:?}");
    }
}

#[test]
fn if_the_body_is_cut_the_function_still_ran() {
    for bytes in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"half\":",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{\"half\":\r\n",
    ] {
        let outcome = invoke(&Server::responding(bytes));
        assert_eq!(facts(&outcome), (Status::Io, Execution::Ran, 1, 0), "{bytes}: {outcome:?}");
        assert!(outcome.payload.is_empty());
        assert_eq!(outcome.http_status, 200);
    }
}

#[test]
fn if_the_response_is_too_long_the_function_still_ran() {
    for bytes in [
        response("200 OK", "", "0123456789"),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\n0\r\n\r\n".to_owned(),
    ] {
        let server = Server::responding(bytes);
        let mut config = server.config();
        for (limit, status) in [(9, Status::TooLarge), (10, Status::Ok)] {
            config.max_response_bytes = Some(limit);
            let outcome = Client::new(&config).unwrap().invoke(request(b"{}"));
            assert_eq!(facts(&outcome), (status, Execution::Ran, 1, 0), "{outcome:?}");
        }
    }
}

#[test]
fn other_forms_of_a_200_are_understood() {
    for (bytes, payload) in [
        (
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1",
            "1",
        ),
        ("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end", "to the end"),
        ("HTTP/1.0 200 OK\r\n\r\nold", "old"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc"),
        ("HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nraw", "raw"),
    ] {
        let outcome = invoke(&Server::responding(bytes));
        assert_eq!(facts(&outcome), (Status::Ok, Execution::Ran, 1, 0), "{bytes}: {outcome:?}");
        assert_eq!(outcome.payload, payload.as_bytes());
    }
}

#[test]
fn accepted_events_and_dry_runs_are_ok_whatever_follows() {
    for (bytes, execution) in [
        (response("202 Accepted", "X-Amz-Function-Error: Unhandled\r\n", "a body"), Execution::Queued),
        ("HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\ncut".to_owned(), Execution::Queued),
        ("HTTP/1.1 204 No Content\r\nContent-Length: 18\r\n\r\n".to_owned(), Execution::None),
    ] {
        let outcome = invoke(&Server::responding(bytes));
        assert_eq!(facts(&outcome), (Status::Ok, execution, 1, 0), "{outcome:?}");
        assert_eq!((outcome.payload.len(), outcome.function_error), (0, None));
    }
}

#[test]
fn after_an_error_whose_code_did_not_arrive_it_is_unknown_whether_the_function_ran() {
    let cut = r#"{"Type":"User","message":"what went wrong","__ty"#;
    let whole = r#"{"Type":"User","message":"what went wrong","__type":"EFSIOException"}"#;
    let late = format!("{{\"filler\":\"{}\",{}", "x".repeat(2_000_000), &whole[1..]);
    let gone = "x-amzn-ErrorType: ResourceNotFoundException\r\n";
    let (none, unknown) = (Execution::None, Execution::Unknown);
    for (bytes, execution) in [
        (response("410 Gone", "", whole), unknown),
        (format!("HTTP/1.1 410 Gone\r\nContent-Length: 200\r\n\r\n{cut}"), unknown),
        (format!("HTTP/1.1 410 Gone\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{cut}", cut.len()), unknown),
        (format!("HTTP/1.1 410 Gone\r\n\r\n{cut}"), unknown),
        ("HTTP/1.1 410 Gone\r\nContent-Length: 200\r\n\r\n".to_owned(), unknown),
        (response("410 Gone", "", &late), unknown),
        (response("410 Gone", gone, whole), unknown),
        (format!("HTTP/1.1 404 Not Found\r\n{gone}Content-Length: 200\r\n\r\n{cut}"), none),
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 200\r\n\r\n{\"__type\":\"ResourceNotFoundException\","
                .to_owned(),
            none,
        ),
        (response("404 Not Found", "", "404 page not found"), none),
    ] {
        let outcome = invoke(&Server::responding(bytes.clone()));
        let expected = (Status::Service, execution, 1, u32::from(execution == unknown));
        assert_eq!(facts(&outcome), expected, "{:.120}: {outcome:?}", bytes.escape_debug().to_string());
        // The same if the rest never arrives.
        let stalling = Server::start(move |_, mut connection| {
            connection.request();
            connection.send(bytes.as_bytes());
            connection.wait_closed();
        });
        let outcome = stalling.client().invoke(Invocation::from(request(b"{}")).timeout(Duration::from_millis(500)));
        assert_eq!(facts(&outcome), expected, "{outcome:?}");
    }
}

#[test]
fn a_failed_function_is_recognised_in_every_form_of_its_header() {
    for headers in [
        "X-Amz-Function-Error: Unhandled\r\n",
        "X-Amz-Function-Error:\r\nX-Amz-Function-Error: Unhandled\r\n",
        "X-Amz-Function-Error: \r\nX-Amz-Function-Error: \t\r\nX-Amz-Function-Error: Unhandled\r\n",
        "X-Amz-Function-Error:\r\n Unhandled\r\n",
        "X-Amz-Function-Error:\r\n\t Unhandled\r\nX-Folded: a\r\n b\r\n\tc\r\n",
    ] {
        let outcome = invoke(&Server::responding(response("200 OK", headers, r#"{"errorMessage":"m"}"#)));
        assert_eq!(facts(&outcome), (Status::FunctionError, Execution::Ran, 1, 0), "{headers:?}: {outcome:?}");
        assert_eq!(outcome.function_error.as_deref(), Some("Unhandled"), "{headers:?}");
    }
}

#[test]
fn a_folded_header_line_is_one_line() {
    let headers = "X-Amzn-RequestId: one\r\n two\r\nX-Amz-Executed-Version:\r\n\t7\r\nX-Amz-Log-Result: aG\r\n k=\r\n";
    let outcome = invoke(&Server::responding(response("200 OK", headers, "1")));
    assert_eq!(facts(&outcome), (Status::Ok, Execution::Ran, 1, 0), "{outcome:?}");
    assert_eq!(outcome.executed_version.as_deref(), Some("7"));
    assert_eq!(outcome.log.as_deref(), Some(&b"hi"[..]));
    let id = outcome.request_id.unwrap();
    assert_eq!(id.split_whitespace().collect::<Vec<_>>(), ["one", "two"], "{id:?}");
}

#[test]
fn a_date_to_wait_for_is_compared_with_the_servers_clock() {
    for ahead in [-3_600, 0, 3_600] {
        let machine = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let there = SystemTime::UNIX_EPOCH + Duration::from_secs(machine.as_secs().checked_add_signed(ahead).unwrap());
        let headers = format!(
            "x-amzn-ErrorType: TooManyRequestsException\r\nDate: {}\r\nRetry-After: {}\r\n",
            httpdate::fmt_http_date(there),
            httpdate::fmt_http_date(there + Duration::from_secs(2)),
        );
        let (server, _) = recovering(vec![response("429 Too Many Requests", &headers, "{}")]);
        let outcome = invoke(&server);
        assert_eq!(facts(&outcome), (Status::Ok, Execution::Ran, 2, 0), "{ahead}: {outcome:?}");
        assert!(outcome.duration >= Duration::from_secs(2), "{ahead}: {outcome:?}");
    }
}

/// Responds to the first requests with `first`, and to later ones with 200. Counts the requests.
fn recovering(first: Vec<String>) -> (Server, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    let server = Server::start(move |_, mut connection| {
        while connection.request().is_some() {
            let number = counter.fetch_add(1, Ordering::SeqCst);
            match first.get(number) {
                Some(bytes) if bytes.is_empty() => return,
                Some(bytes) => connection.send(bytes.as_bytes()),
                None => connection.send(response("200 OK", "", "done").as_bytes()),
            }
        }
    });
    (server, count)
}

#[test]
fn only_attempts_that_did_not_run_are_retried_unless_the_mode_is_always() {
    let throttled =
        response("429 Too Many Requests", "x-amzn-ErrorType: TooManyRequestsException\r\nRetry-After: 0\r\n", "{}");
    let not_ready = response("409 Conflict", "x-amzn-ErrorType: SnapStartNotReadyException\r\n", "{}");
    let broken = response("500 Internal Server Error", "x-amzn-ErrorType: ServiceException\r\n", "{}");
    let gone = response("404 Not Found", "x-amzn-ErrorType: ResourceNotFoundException\r\n", "{}");
    let dropped = String::new();
    let run = Execution::Ran;
    for (mode, first, status, execution, attempts, unknown) in [
        (RetryMode::Safe, vec![&throttled, &not_ready], Status::Ok, run, 3, 0),
        (RetryMode::Safe, vec![&throttled, &throttled, &throttled], Status::Throttled, Execution::None, 3, 0),
        (RetryMode::None, vec![&not_ready], Status::Service, Execution::None, 1, 0),
        (RetryMode::Safe, vec![&broken], Status::Service, Execution::Unknown, 1, 1),
        (RetryMode::Safe, vec![&dropped], Status::Io, Execution::Unknown, 1, 1),
        (RetryMode::Safe, vec![&gone], Status::Service, Execution::None, 1, 0),
        (RetryMode::Always, vec![&gone], Status::Service, Execution::None, 1, 0),
        (RetryMode::Always, vec![&broken, &dropped], Status::Ok, run, 3, 2),
        (RetryMode::Always, vec![&dropped, &dropped, &dropped], Status::Io, Execution::Unknown, 3, 3),
        // An earlier attempt that may have run counts, whatever the last one's response is.
        (RetryMode::Always, vec![&broken, &gone], Status::Service, Execution::Unknown, 2, 1),
    ] {
        let (server, count) = recovering(first.into_iter().cloned().collect());
        let mut config = server.config();
        config.retry = Some(mode);
        let outcome = Client::new(&config).unwrap().invoke(request(b"{}"));
        assert_eq!(facts(&outcome), (status, execution, attempts, unknown), "{mode:?}: {outcome:?}");
        assert_eq!(count.load(Ordering::SeqCst), attempts as usize);

        // The same with the mode of the call instead of the client's.
        let (server, count) = recovering(vec![broken.clone(), broken.clone(), broken.clone()]);
        let outcome = server.client().invoke(Invocation::from(request(b"{}")).retry(mode));
        let attempts = if mode == RetryMode::Always { 3 } else { 1 };
        assert_eq!((outcome.attempts, count.load(Ordering::SeqCst)), (attempts, attempts as usize));
    }
}

#[test]
fn a_wait_that_is_too_long_ends_the_call_with_what_is_known() {
    for (asked, timeout) in [("30", Duration::from_secs(60)), ("5", Duration::from_secs(2))] {
        let headers = format!("x-amzn-ErrorType: TooManyRequestsException\r\nRetry-After: {asked}\r\n");
        let (server, _) =
            recovering(vec![response("429 Too Many Requests", &headers, r#"{"Reason":"R","message":"m"}"#)]);
        let started = Instant::now();
        let outcome = server.client().invoke(Invocation::from(request(b"{}")).timeout(timeout));
        assert_eq!(facts(&outcome), (Status::Throttled, Execution::None, 1, 0), "{outcome:?}");
        assert_eq!(outcome.retry_after, Some(Duration::from_secs(asked.parse().unwrap())));
        assert_eq!((outcome.throttle_reason.as_deref(), outcome.error_message.as_deref()), (Some("R"), Some("f: m")));
        assert!(started.elapsed() < Duration::from_secs(1));
    }
}

#[test]
fn retry_after_is_a_lower_bound_of_the_wait() {
    let headers = "x-amzn-ErrorType: TooManyRequestsException\r\nRetry-After: 2\r\n";
    let (server, _) = recovering(vec![response("429 Too Many Requests", headers, "{}")]);
    let outcome = invoke(&server);
    assert_eq!(facts(&outcome), (Status::Ok, Execution::Ran, 2, 0), "{outcome:?}");
    assert!(outcome.duration >= Duration::from_secs(2), "{outcome:?}");
}

#[test]
fn the_outcome_of_a_deadline_depends_on_how_far_the_call_was() {
    let silent = Server::start(|_, mut connection| {
        connection.request();
        connection.wait_closed();
    });
    let mut dripping = response("200 OK", "X-Amz-Executed-Version: 7\r\n", "0123456789");
    dripping.truncate(dripping.len() - 5);
    let half = Server::start(move |_, mut connection| {
        connection.request();
        connection.send(dripping.as_bytes());
        connection.wait_closed();
    });
    let failed = Server::start(|_, mut connection| {
        connection.request();
        connection.send(b"HTTP/1.1 200 OK\r\nX-Amz-Function-Error: Unhandled\r\nContent-Length: 9\r\n\r\n{");
        connection.wait_closed();
    });
    for (server, status, execution) in [
        (&silent, Status::Timeout, Execution::Unknown),
        (&half, Status::Timeout, Execution::Ran),
        (&failed, Status::FunctionError, Execution::Ran),
    ] {
        let started = Instant::now();
        let outcome = server.client().invoke(Invocation::from(request(b"{}")).timeout(Duration::from_millis(300)));
        assert_eq!((outcome.status, outcome.execution, outcome.attempts), (status, execution, 1), "{outcome:?}");
        assert!((250..3_000).contains(&started.elapsed().as_millis()));
        assert!(outcome.error_message.unwrap().contains("300 ms"));
    }
    let outcome = half.client().invoke(Invocation::from(request(b"{}")).timeout(Duration::from_millis(300)));
    assert_eq!((outcome.http_status, outcome.executed_version.as_deref()), (200, Some("7")));
}

/// An address that neither accepts nor refuses connections, since its queue of connections is full.
struct Full {
    address: SocketAddr,
    _held: Vec<TcpStream>,
    listener: i32,
}

impl Full {
    fn new() -> Self {
        // SAFETY: plain socket calls on values of this function.
        let (listener, address) = unsafe {
            let listener = libc::socket(libc::AF_INET, libc::SOCK_STREAM, 0);
            let mut address: libc::sockaddr_in = std::mem::zeroed();
            address.sin_family = libc::AF_INET as u16;
            address.sin_addr.s_addr = u32::from_ne_bytes([127, 0, 0, 1]);
            let mut length = size_of_val(&address) as u32;
            assert_eq!(libc::bind(listener, (&raw const address).cast(), length), 0);
            assert_eq!(libc::listen(listener, 0), 0);
            assert_eq!(libc::getsockname(listener, (&raw mut address).cast(), &raw mut length), 0);
            (listener, SocketAddr::from(([127, 0, 0, 1], u16::from_be(address.sin_port))))
        };
        let mut held = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
            held.push(stream);
        }
        Self { address, _held: held, listener }
    }
}

impl Drop for Full {
    fn drop(&mut self) {
        // SAFETY: the descriptor is this value's own.
        unsafe { libc::close(self.listener) };
    }
}

#[test]
fn a_connect_timeout_ends_the_attempt_and_a_deadline_the_call() {
    let full = Full::new();
    let mut config = config(&format!("http://{}", full.address));
    config.connect_timeout = Some(Duration::from_millis(200));
    config.max_attempts = Some(2);
    let outcome = Client::new(&config).unwrap().invoke(request(b"{}"));
    assert_eq!(facts(&outcome), (Status::Connect, Execution::None, 2, 0), "{outcome:?}");

    config.connect_timeout = None;
    let invocation = Invocation::from(request(b"{}")).timeout(Duration::from_millis(200));
    let outcome = Client::new(&config).unwrap().invoke(invocation);
    assert_eq!(facts(&outcome), (Status::Timeout, Execution::None, 1, 0), "{outcome:?}");
}

#[test]
fn a_name_without_an_address_is_a_resolve_error() {
    let name = format!("{}.invalid", "x".repeat(64));
    let outcome = Client::new(&config(&format!("http://{name}:1"))).unwrap().invoke(request(b"{}"));
    assert_eq!(facts(&outcome), (Status::Resolve, Execution::None, 1, 0), "{outcome:?}");
    assert!(outcome.error_message.unwrap().contains(&name));
}

#[test]
fn a_server_without_tls_is_a_tls_error() {
    let plain = Server::start(|_, mut connection| {
        connection.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        connection.wait_closed();
    });
    let mut config = config(&format!("https://{}", plain.address));
    config.max_attempts = Some(1);
    let outcome = Client::new(&config).unwrap().invoke(request(b"{}"));
    assert_eq!(facts(&outcome), (Status::Tls, Execution::None, 1, 0), "{outcome:?}");
}

#[test]
fn a_wrong_clock_is_corrected_by_the_servers_date() {
    let dates = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&dates);
    let there = SystemTime::now() + Duration::from_secs(3 * 3_600);
    let server = Server::start(move |_, mut connection| {
        while let Some(request) = connection.request() {
            let mut dates = seen.lock().unwrap();
            dates.push(request.header("x-amz-date").unwrap().to_owned());
            if dates.len() == 1 {
                let headers = format!(
                    "Date: {}\r\nx-amzn-ErrorType: InvalidSignatureException\r\n",
                    httpdate::fmt_http_date(there)
                );
                let body = r#"{"message":"Signature expired: 20260101T000000Z is now earlier than 20260101T000500Z"}"#;
                connection.send(response("403 Forbidden", &headers, body).as_bytes());
            } else {
                connection.send(response("200 OK", "", "1").as_bytes());
            }
        }
    });
    let client = server.client();
    assert_eq!(facts(&client.invoke(request(b"{}"))), (Status::Ok, Execution::Ran, 2, 0));
    assert_eq!(facts(&client.invoke(request(b"{}"))), (Status::Ok, Execution::Ran, 1, 0), "the clock stays correct");
    let dates = dates.lock().unwrap();
    let hour = |date: &str| date[9..11].parse::<u32>().unwrap();
    assert_eq!((hour(&dates[0]) + 3) % 24, hour(&dates[1]), "{dates:?}");
    assert_eq!(hour(&dates[1]), hour(&dates[2]), "{dates:?}");
}

#[test]
fn the_outcome_of_an_interrupt_depends_on_how_far_the_call_was() {
    let (arrived, wait_arrived) = mpsc::channel();
    let arrived = Mutex::new(arrived);
    let server = Server::start(move |_, mut connection| {
        connection.request();
        arrived.lock().unwrap().send(()).unwrap();
        connection.wait_closed();
    });
    let client = server.client();
    let outcome = client.invoke_interruptible(request(b"{}"), &mut || true);
    assert_eq!(facts(&outcome), (Status::Cancelled, Execution::None, 0, 0), "{outcome:?}");
    assert_eq!(server.connections(), 0, "nothing was sent");

    let polled_on = Mutex::new(Vec::new());
    let outcome = client.invoke_interruptible(request(b"{}"), &mut || {
        polled_on.lock().unwrap().push((thread::current().id(), Instant::now()));
        wait_arrived.try_recv().is_ok()
    });
    assert_eq!(facts(&outcome), (Status::Cancelled, Execution::Unknown, 1, 1), "{outcome:?}");
    assert!(polled_on.lock().unwrap().iter().all(|(thread, _)| *thread == thread::current().id()));
}

/// Makes a server that announces every request on the receiver, and responds once the sender has a message for it.
fn stepped() -> (Server, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (arrived, wait_arrived) = mpsc::channel();
    let (go_on, wait_go_on) = mpsc::channel();
    let (arrived, wait_go_on) = (Mutex::new(arrived), Mutex::new(wait_go_on));
    let server = Server::start(move |_, mut connection| {
        while connection.request().is_some() {
            arrived.lock().unwrap().send(()).unwrap();
            wait_go_on.lock().unwrap().recv().unwrap();
            connection.send(response("200 OK", "", "1").as_bytes());
        }
    });
    (server, wait_arrived, go_on)
}

#[test]
fn a_call_that_waits_for_a_permit_keeps_its_deadline() {
    let (server, wait_arrived, go_on) = stepped();
    let mut config = server.config();
    config.max_connections = Some(1);
    let client = Client::new(&config).unwrap();
    thread::scope(|scope| {
        let first = scope.spawn(|| client.invoke(request(b"{}")));
        wait_arrived.recv().unwrap();
        let outcome = client.invoke(Invocation::from(request(b"{}")).timeout(Duration::from_millis(200)));
        assert_eq!(facts(&outcome), (Status::Timeout, Execution::None, 0, 0), "{outcome:?}");
        let second = scope.spawn(|| client.invoke(request(b"{}")));
        go_on.send(()).unwrap();
        go_on.send(()).unwrap();
        assert_eq!(facts(&first.join().unwrap()), (Status::Ok, Execution::Ran, 1, 0));
        assert_eq!(facts(&second.join().unwrap()), (Status::Ok, Execution::Ran, 1, 0));
    });
    assert_eq!(server.connections(), 1, "the second call reused the first one's connection");
}

#[test]
fn an_invalid_invocation_is_refused_before_anything_is_sent() {
    let server = Server::responding(response("200 OK", "", "1"));
    let outcome = server.client().invoke(InvocationRequest {
        function_name: "f:live".into(),
        qualifier: Some("7".into()),
        ..InvocationRequest::default()
    });
    assert_eq!(facts(&outcome), (Status::InvalidArgument, Execution::None, 0, 0), "{outcome:?}");
    assert_eq!(server.connections(), 0);
}

#[test]
fn every_call_signed_with_a_wrong_clock_is_retried() {
    let there = SystemTime::now() + Duration::from_secs(3 * 3_600);
    let arrived = Arc::new((Mutex::new(0), std::sync::Condvar::new()));
    let server = Server::start(move |number, mut connection| {
        let mut first = number < 4;
        while connection.request().is_some() {
            if first {
                // All four requests arrive before the first one gets a response.
                let (count, all_here) = &*arrived;
                let mut count = count.lock().unwrap();
                *count += 1;
                all_here.notify_all();
                drop(all_here.wait_while(count, |count| *count < 4).unwrap());
                let headers =
                    format!("Date: {}\r\nx-amzn-ErrorType: RequestTimeTooSkewed\r\n", httpdate::fmt_http_date(there));
                connection.send(response("403 Forbidden", &headers, "{}").as_bytes());
            } else {
                connection.send(response("200 OK", "", "1").as_bytes());
            }
            first = false;
        }
    });
    let client = server.client();
    thread::scope(|scope| {
        let calls: Vec<_> = (0..4).map(|_| scope.spawn(|| client.invoke(request(b"{}")))).collect();
        for call in calls {
            assert_eq!(facts(&call.join().unwrap()), (Status::Ok, Execution::Ran, 2, 0));
        }
    });
}

#[test]
fn a_token_that_a_server_repeats_is_redacted() {
    let token = "T0ken/".repeat(60);
    let json = token.replace('/', "\\/");
    for body in [
        format!("your request had x-amz-security-token: {token}, which is wrong"),
        format!(r#"{{"message":"canonical string: x-amz-security-token:{json}"}}"#),
        format!(r#"{{"message":"cut in the middle of x-amz-security-token:{}"#, &token[..300]),
    ] {
        let server = Server::responding(response("403 Forbidden", "", &body));
        let mut config = server.config();
        config.set_credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Some(&token)).unwrap();
        let outcome = Client::new(&config).unwrap().invoke(request(b"{}"));
        let message = outcome.error_message.unwrap();
        // The beginning of a token that is cut may be there.
        assert!(!message.contains(&token[..]), "{message}");
        if !body.contains("cut in the middle") {
            assert!(message.contains("(redacted)") && !message.contains("T0ken"), "{message}");
        }
    }
}

#[test]
fn the_message_of_a_failed_function_is_not_redacted() {
    let body = r#"{"errorMessage":"the latest test failed"}"#;
    let server = Server::responding(response("200 OK", "X-Amz-Function-Error: Unhandled\r\n", body));
    let mut config = server.config();
    config.set_credentials("test", "test", Some("latest")).unwrap();
    let outcome = Client::new(&config).unwrap().invoke(request(b"{}"));
    assert_eq!(outcome.error_message.as_deref(), Some("the latest test failed"));
}

#[test]
fn the_status_of_the_last_response_is_kept_if_the_last_attempt_has_none() {
    let busy = response("503 Service Unavailable", "x-amzn-RequestId: first\r\nRetry-After: 0\r\n", "");
    let (server, _) = recovering(vec![busy, String::new(), String::new()]);
    let outcome = server.client().invoke(Invocation::from(request(b"{}")).retry(RetryMode::Always));
    assert_eq!(facts(&outcome), (Status::Io, Execution::Unknown, 3, 3));
    assert_eq!((outcome.http_status, outcome.request_id.as_deref()), (503, Some("first")));
}

#[test]
fn a_handshake_that_breaks_off_is_a_tls_error() {
    let server = Server::start(|_, mut connection| {
        // The ClientHello begins with the record's type and version.
        connection.0.read_exact(&mut [0; 5]).unwrap();
    });
    let mut config = config(&format!("https://{}", server.address));
    config.max_attempts = Some(1);
    let outcome = Client::new(&config).unwrap().invoke(request(b"{}"));
    assert_eq!(facts(&outcome), (Status::Tls, Execution::None, 1, 0), "{outcome:?}");
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    config.endpoint_url = Some(format!("https://{address}"));
    let outcome = Client::new(&config).unwrap().invoke(request(b"{}"));
    assert_eq!(facts(&outcome), (Status::Connect, Execution::None, 1, 0), "{outcome:?}");
}

#[test]
fn a_refused_upload_does_not_continue_during_the_next_call() {
    let server = Server::start(|_, mut connection| {
        let head = connection.head().unwrap();
        if head.contains("content-length: 2\r\n") {
            connection.send(response("200 OK", "", "1").as_bytes());
        } else {
            let headers = "x-amzn-ErrorType: InvalidParameterValueException\r\n";
            connection.send(response("400 Bad Request", headers, "{}").as_bytes());
        }
        connection.wait_closed();
    });
    let client = server.client();
    let outcome = client.invoke(request(&vec![b'x'; 32_000_000]));
    // Whether the response can still be read after the broken upload depends on the system.
    assert!(matches!(outcome.status, Status::Service | Status::Io), "{outcome:?}");
    assert_eq!(client.invoke(request(b"{}")).status, Status::Ok);
    assert_eq!(server.connections(), 2, "the next call has its own connection");
}

#[test]
fn an_errors_code_is_read_from_a_document_of_any_length() {
    let body = format!("x{}", "y".repeat(3_000_000));
    let server = Server::responding(response("502 Bad Gateway", "x-amzn-ErrorType: ENINotReadyException\r\n", &body));
    let mut config = server.config();
    config.max_attempts = Some(1);
    let outcome = Client::new(&config).unwrap().invoke(request(b"{}"));
    assert_eq!(facts(&outcome), (Status::Service, Execution::None, 1, 0), "{outcome:?}");
    assert!(outcome.error_message.unwrap().starts_with("f: xyyy"));
}

#[test]
fn zero_is_the_default_everywhere() {
    let server = Server::responding(response("200 OK", "", "1"));
    let mut config = server.config();
    config.max_connections = Some(0);
    config.max_attempts = Some(0);
    config.max_response_bytes = Some(0);
    config.timeout = Some(Duration::ZERO);
    config.connect_timeout = Some(Duration::ZERO);
    assert_eq!(facts(&Client::new(&config).unwrap().invoke(request(b"{}"))), (Status::Ok, Execution::Ran, 1, 0));
}

#[test]
fn an_interrupt_that_panics_gives_up_its_place_in_the_queue() {
    let (server, wait_arrived, go_on) = stepped();
    let mut config = server.config();
    config.max_connections = Some(1);
    let client = Client::new(&config).unwrap();
    thread::scope(|scope| {
        let first = scope.spawn(|| client.invoke(request(b"{}")));
        wait_arrived.recv().unwrap();
        let mut polls = 0;
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            client.invoke_interruptible(request(b"{}"), &mut || {
                polls += 1;
                assert!(polls < 2, "on purpose, while it waits for a permit");
                false
            })
        }));
        assert!(panicked.is_err());
        go_on.send(()).unwrap();
        go_on.send(()).unwrap();
        assert_eq!(first.join().unwrap().status, Status::Ok);
        assert_eq!(client.invoke(Invocation::from(request(b"{}")).timeout(Duration::from_secs(20))).status, Status::Ok);
    });
}
