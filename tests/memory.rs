//! A process that may not use much memory survives what a function returns, and gets it where it fits.

#![allow(clippy::unwrap_used, reason = "these are tests, outside a test function too")]

mod support;

use std::process::Command;
use std::{env, fs};

use lambda_invoke::{Client, Execution, Status};
use support::{Server, config, request, response};

const ENDPOINT: &str = "TEST_MEMORY_ENDPOINT";
const MORE_BYTES: &str = "TEST_MEMORY_MORE_BYTES";
const MB: usize = 1024 * 1024;
const MESSAGE: usize = 12 * MB;

/// What the process may grow by beside the payload: hyper's read buffer and what a call takes.
const BESIDE: usize = 2 * MB;

#[test]
#[ignore = "run by the test below, in a process of its own"]
fn one_call_with_little_memory() {
    let client = Client::new(&config(&env::var(ENDPOINT).unwrap())).unwrap();
    // What is made once is there before the limit.
    assert_eq!(client.invoke(request(b"small")).status, Status::FunctionError);
    let pages: u64 = fs::read_to_string("/proc/self/statm").unwrap().split(' ').next().unwrap().parse().unwrap();
    let more: u64 = env::var(MORE_BYTES).unwrap().parse().unwrap();
    let limit = libc::rlimit { rlim_cur: pages * 4096 + more, rlim_max: libc::RLIM_INFINITY };
    // SAFETY: a plain call with a value of this function.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
    let outcome = client.invoke(request(b"large"));
    let free = libc::rlimit { rlim_cur: libc::RLIM_INFINITY, ..limit };
    // SAFETY: as above.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const free) }, 0);
    assert_eq!((outcome.status, outcome.execution), (Status::FunctionError, Execution::Ran), "{outcome:?}");
    let message = outcome.error_message.unwrap();
    println!("payload {} message {}", outcome.payload.len(), message.len());
    if outcome.payload.is_empty() {
        assert!(message.contains("no memory"), "{message}");
    } else {
        assert!(message.starts_with("bad \u{fffd} xxx") && message.len() <= 64 * 1024, "{}", message.len());
    }
}

#[test]
fn a_huge_error_message_neither_aborts_nor_loses_the_response() {
    let server = Server::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            let size = if request.body == b"large" { MESSAGE } else { 10 };
            let body = format!(r#"{{"errorMessage":"bad \ud83d {}","errorType":"E"}}"#, "x".repeat(size));
            connection.send(response("200 OK", "X-Amz-Function-Error: Unhandled\r\n", &body).as_bytes());
        }
    });
    for more in (4..=48).step_by(4).map(|mb| mb * MB) {
        if (MESSAGE..MESSAGE + BESIDE).contains(&more) {
            continue;
        }
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", "one_call_with_little_memory", "--ignored", "--nocapture", "--test-threads=1"])
            .env(ENDPOINT, format!("http://{}", server.address))
            .env(MORE_BYTES, more.to_string())
            // One heap for all threads: another takes address space that this counts.
            .env("MALLOC_ARENA_MAX", "1")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&child.stdout).into_owned() + &String::from_utf8_lossy(&child.stderr);
        assert!(child.status.success(), "{} MB more: {}: {said}", more / MB, child.status);
        let is_whole = said.contains(&format!("payload {}", MESSAGE + 46));
        assert_eq!(is_whole, more > MESSAGE, "{} MB more: {said}", more / MB);
    }
}
