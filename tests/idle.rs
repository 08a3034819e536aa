//! Idle connections: as many as were in use at once serve the next burst.

#![allow(clippy::unwrap_used, reason = "these are tests, outside a test function too")]

mod support;
#[path = "support/tls.rs"]
mod tls_support;

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::{env, fs, process, thread};

use lambda_invoke::{Client, Status};
use rustls::{ServerConnection, StreamOwned};
use support::{Connection, Server, config, request, response};
use tls_support::{Authority, authority, certificate, server_config};

const BURST: usize = 200;

/// Each call needs four descriptors, and the server in this process needs one.
fn allow_descriptors() {
    // SAFETY: the limits are valid for writes and for reads.
    unsafe {
        let mut limits: libc::rlimit = std::mem::zeroed();
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limits), 0);
        limits.rlim_cur = limits.rlim_max;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limits), 0);
    }
}

/// Responds only once all calls of a burst have arrived, so that all are under way at once. Counts the handshakes.
fn bursting_server(authority: &Authority, handshakes: Arc<AtomicUsize>) -> Server {
    let (certificate, key) = certificate(authority, "localhost");
    let (config, all) = (server_config(certificate, &key, rustls::DEFAULT_VERSIONS), Barrier::new(BURST));
    Server::start(move |_, connection: Connection| {
        let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = StreamOwned::new(tls, connection.0);
        handshakes.fetch_add(1, Ordering::SeqCst);
        let mut seen = Vec::new();
        loop {
            let mut byte = [0];
            match stream.read(&mut byte) {
                Ok(1) => seen.push(byte[0]),
                _ => return,
            }
            if seen.ends_with(b"\r\n\r\n{}") {
                seen.clear();
                all.wait();
                stream.write_all(response("200 OK", "", "1").as_bytes()).unwrap();
            }
        }
    })
}

fn burst(client: &Client) {
    thread::scope(|scope| {
        for _ in 0..BURST {
            scope.spawn(|| {
                let outcome = client.invoke(request(b"{}"));
                assert_eq!((outcome.status, outcome.attempts), (Status::Ok, 1), "{outcome:?}");
            });
        }
    });
}

#[test]
fn a_burst_after_a_burst_makes_no_handshake() {
    allow_descriptors();
    let (ours, handshakes) = (authority(), Arc::new(AtomicUsize::new(0)));
    let file = env::temp_dir().join(format!("lambda-invoke-idle-{}.pem", process::id()));
    fs::write(&file, ours.pem()).unwrap();
    let server = bursting_server(&ours, Arc::clone(&handshakes));
    let mut config = config(&format!("https://localhost:{}", server.address.port()));
    config.ca_bundle = Some(file.to_str().unwrap().to_owned());
    config.max_connections = Some(BURST as u32);
    let client = Client::new(&config).unwrap();
    fs::remove_file(file).unwrap();
    let mut made = Vec::new();
    for _ in 0..3 {
        burst(&client);
        made.push(handshakes.swap(0, Ordering::SeqCst));
    }
    assert_eq!(made, [BURST, 0, 0]);
    client.release_idle();
    burst(&client);
    assert_eq!(handshakes.load(Ordering::SeqCst), BURST, "after all were closed");
}
