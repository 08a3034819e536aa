//! Measures how long forks take while calls are under way, compared with the same work without the library; and what a
//! stream is in a forked child.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, reason = "these are tests, outside a test function too")]

#[path = "support/frames.rs"]
mod frames;
mod support;

use std::ffi::CString;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lambda_invoke::{Invocation, LogLevel, Received, Status};
use support::{Server, request, response};

const RESPONSE_BYTES: usize = 60_000_000;
const FORKS: usize = 200;
/// A fork that takes this many times the median of undisturbed forks was delayed.
const SLOW: u32 = 100;

/// Forks, and returns how long that took. The child ends at once.
fn fork() -> Duration {
    let (took, _) = fork_and(|| true);
    took
}

/// Forks, and returns how long that took, and what `check` returns in the child. It must not allocate: another thread may have
/// held the allocator's lock.
fn fork_and(check: impl FnOnce() -> bool) -> (Duration, bool) {
    let began = Instant::now();
    // SAFETY: the child calls nothing but `check`, which does not allocate, and _exit.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let code = i32::from(!check());
        // SAFETY: _exit has no precondition.
        unsafe { libc::_exit(code) };
    }
    let took = began.elapsed();
    let mut status = 0;
    // SAFETY: `status` is valid for writes.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    (took, status == 0)
}

/// Returns how long forks take while another thread repeats `work`.
fn forks_during(work: impl Fn() + Sync) -> Vec<Duration> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::SeqCst) {
                work();
            }
        });
        let took = (0..FORKS).map(|_| fork()).collect();
        is_over.store(true, Ordering::SeqCst);
        took
    })
}

fn count_above(limit: Duration, forks: &[Duration]) -> usize {
    forks.iter().filter(|took| **took > limit).count()
}

/// A runtime that always has more to read does not park, but forks still proceed between two polls.
#[test]
fn forks_are_not_delayed_while_a_large_response_is_read() {
    let large = response("200 OK", "", &"x".repeat(RESPONSE_BYTES));
    let server = Server::start(move |_, mut connection| {
        while connection.request().is_some() {
            connection.send(large.as_bytes());
        }
    });
    let client = server.client();
    let with_library = || {
        let outcome = client.invoke(request(b"{}"));
        assert_eq!((outcome.status, outcome.payload.len()), (Status::Ok, RESPONSE_BYTES), "{outcome:?}");
    };
    let without_library = || {
        let mut connection = TcpStream::connect(server.address).unwrap();
        connection.write_all(b"POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n").unwrap();
        let mut body = Vec::with_capacity(RESPONSE_BYTES);
        connection.take(RESPONSE_BYTES as u64).read_to_end(&mut body).unwrap();
        assert_eq!(body.len(), RESPONSE_BYTES);
    };
    let mut idle: Vec<_> = (0..FORKS).map(|_| fork()).collect();
    idle.sort();
    let limit = idle[FORKS / 2] * SLOW;
    let mut slow = (0, 0);
    for _ in 0..2 {
        slow.0 += count_above(limit, &forks_during(with_library));
        slow.1 += count_above(limit, &forks_during(without_library));
    }
    // One per cent more than without the library may be noise. Without the checkpoint between polls it was ten per
    // cent.
    assert!(
        slow.0 <= slow.1 + 2 * FORKS / 100,
        "of {} forks {} were delayed, without the library {}",
        2 * FORKS,
        slow.0,
        slow.1
    );
}

/// Files are read outside of the fork barrier, however slow they are.
#[test]
fn forks_are_not_held_up_while_a_client_reads_a_slow_file() {
    let path = std::env::temp_dir().join(format!("lambda_invoke-slow-{}", std::process::id()));
    let name = CString::new(path.to_str().unwrap()).unwrap();
    // SAFETY: the name is NUL-terminated.
    assert_eq!(unsafe { libc::mkfifo(name.as_ptr(), 0o600) }, 0);
    let mut config = support::config("https://127.0.0.1:1");
    config.ca_bundle = path.to_str().map(str::to_owned);
    thread::scope(|scope| {
        let reading = scope.spawn(|| lambda_invoke::Client::new(&config).map(drop));
        // Opens only when the client is reading, which it does until this end is closed.
        let slow = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        let slowest = (0..20).map(|_| fork()).max().unwrap();
        assert!(slowest < Duration::from_millis(500), "a fork took {slowest:?}");
        drop(slow);
        let error = reading.join().unwrap().unwrap_err();
        assert!(error.message().contains("no certificate"), "{error}");
    });
    std::fs::remove_file(path).unwrap();
}

/// Forks, and checks the signal mask: what the caller's code may expect wherever the library runs it.
fn is_outside_the_library() {
    let took = fork();
    assert!(took < Duration::from_millis(500), "the fork took {took:?}");
    let mut mask = std::mem::MaybeUninit::uninit();
    // SAFETY: the mask is only read, into memory that is valid for writes.
    let mask = unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, std::ptr::null(), mask.as_mut_ptr());
        mask.assume_init()
    };
    // SAFETY: the mask was just read.
    assert_eq!(unsafe { libc::sigismember(&raw const mask, libc::SIGPIPE) }, 0, "SIGPIPE is blocked");
}

/// The caller's code runs outside the fork barrier and with the caller's signal mask: a log sink, a credentials callback and
/// an interrupt. Each runs in the middle of a call.
#[test]
fn the_callers_code_may_fork_and_has_the_callers_signal_mask() {
    let (interrupted, wait) = std::sync::mpsc::channel();
    let wait = std::sync::Mutex::new(wait);
    let server = Server::start(move |_, mut connection| {
        while connection.request().is_some() {
            // Responds only once the interrupt has been polled while the call waits for the response.
            wait.lock().unwrap().recv().unwrap();
            connection.send(response("200 OK", "", "1").as_bytes());
        }
    });
    let ran = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut config = server.config();
    let (log, callback) = (ran.clone(), ran.clone());
    config.set_log(LogLevel::Trace, move |_, _, message| {
        if message.contains("attempt 1: RequestResponse") {
            is_outside_the_library();
            log.lock().unwrap().push("log");
        }
    });
    config.unset_credentials();
    config.set_credentials_callback(move || {
        is_outside_the_library();
        callback.lock().unwrap().push("credentials");
        lambda_invoke::Credentials::new("AKID", "secret", None, None).map_err(|error| error.to_string())
    });
    let client = lambda_invoke::Client::new(&config).unwrap();
    let outcome = client.invoke_interruptible(request(b"{}"), &mut || {
        is_outside_the_library();
        let mut ran = ran.lock().unwrap();
        if ran.last() == Some(&"log") {
            ran.push("interrupt");
            interrupted.send(()).unwrap();
        }
        false
    });
    assert_eq!(outcome.status, Status::Ok, "{outcome:?}");
    assert_eq!(*ran.lock().unwrap(), ["credentials", "log", "interrupt"]);
}

/// What the parent has received and not read is the parent's, also where its stream has broken by then.
#[test]
fn a_stream_that_broke_is_cancelled_in_a_child() {
    let (go, goes) = std::sync::mpsc::channel();
    let (told, tells) = std::sync::mpsc::channel();
    let (goes, told) = (std::sync::Mutex::new(goes), std::sync::Mutex::new(told));
    let server = Server::start(move |_, mut connection| {
        connection.request();
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n");
        connection.send(&frames::event("PayloadChunk", b"1"));
        goes.lock().unwrap().recv().unwrap();
        connection.send(&[b"2", b"3"].map(|payload| frames::event("PayloadChunk", payload)).concat());
        drop(connection);
        told.lock().unwrap().send(()).unwrap();
    });
    let mut stream = server.client().invoke_stream(request(b"{}"));
    assert_eq!(stream.next(None), Received::Chunk(b"1"));
    go.send(()).unwrap();
    tells.recv().unwrap();
    assert_eq!(stream.next(None), Received::Chunk(b"2"));
    let (_, is_cancelled) = fork_and(|| stream.next(None) == Received::Ended(Status::Cancelled));
    assert!(is_cancelled);
    assert_eq!(stream.next(None), Received::Chunk(b"3"));
    assert_eq!(stream.next(None), Received::Ended(Status::Io));
}

/// At its deadline a stream is over, also if its reader has not read yet what came before.
#[test]
fn a_stream_that_is_over_is_cancelled_in_a_child() {
    const TIMEOUT: Duration = Duration::from_secs(1);
    let server = Server::start(move |_, mut connection| {
        connection.request();
        let frames = [b"12", b"34"].map(|payload| frames::event("PayloadChunk", payload)).concat();
        connection.send(&[b"HTTP/1.1 200 OK\r\n\r\n", &frames[..]].concat());
        connection.wait_closed();
    });
    let mut config = server.config();
    // The deadline passes between the head and the chunks that come with it.
    config.set_log(LogLevel::Trace, |_, _, message| {
        if message.contains("the head of a response arrived") {
            thread::sleep(TIMEOUT);
        }
    });
    let client = lambda_invoke::Client::new(&config).unwrap();
    let mut stream = client.invoke_stream(Invocation::from(request(b"{}")).timeout(TIMEOUT));
    assert_eq!(stream.read(&mut [0]).unwrap(), 1);
    assert!(format!("{stream:?}").contains("Timeout"), "{stream:?}");
    // Its error is allocated, which glibc allows in a child.
    assert!(fork_and(|| stream.read(&mut [0]).is_err()).1);
    assert!(fork_and(|| stream.next(None) == Received::Ended(Status::Cancelled)).1);
    assert_eq!(stream.next(None), Received::Chunk(b"34"));
    assert_eq!(stream.next(None), Received::Ended(Status::Timeout));
    assert!(fork_and(|| stream.next(None) == Received::Ended(Status::Cancelled)).1);
}
