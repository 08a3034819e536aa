//! If TLS cannot work, then the message gives the reason and what to do; and what a server may do inside TLS.

#![allow(clippy::unwrap_used, reason = "these are tests, outside a test function too")]

mod support;
#[path = "support/tls.rs"]
mod tls_support;

use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{env, fs, process};

use lambda_invoke::{Client, Execution, Invocation, Outcome, Status};
use rustls::pki_types::CertificateDer;
use rustls::version::TLS13;
use support::{Server, config, request, response};
use tls_support::{authority, authority_named, certificate, respond, server};

/// A bundle that is gone with the test.
struct Bundle(PathBuf);

impl Bundle {
    fn new(name: &str, text: &[u8]) -> Self {
        let path = env::temp_dir().join(format!("lambda-invoke-{name}-{}.pem", process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }

    /// A client that trusts these certificates and calls this server.
    fn client(&self, server: &Server) -> Client {
        let mut config = config(&format!("https://localhost:{}", server.address.port()));
        config.ca_bundle = Some(self.0.to_str().unwrap().to_owned());
        config.max_attempts = Some(1);
        Client::new(&config).unwrap()
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn assert_says(outcome: &Outcome, parts: &[&str]) {
    assert_eq!((outcome.status, outcome.execution), (Status::Tls, Execution::None), "{outcome:?}");
    let message = outcome.error_message.as_ref().unwrap();
    assert!(parts.iter().all(|part| message.contains(part)) && message.contains("localhost"), "{message}");
    assert!(!message.contains('['), "no list of numbers: {message}");
}

#[test]
fn a_certificate_that_is_not_supported_says_why() {
    let ours = authority();
    let bundle = Bundle::new("unsupported", ours.pem().as_bytes());
    for (what, from, to, places, parts) in [
        (
            // In the certificate and beside its signature.
            "ecdsa-with-SHA256 becomes ecdsa-with-SHA512",
            &b"\x2a\x86\x48\xce\x3d\x04\x03\x02"[..],
            &b"\x2a\x86\x48\xce\x3d\x04\x03\x04"[..],
            2,
            &["certificate", "SHA-512", "P-521", "P-256"][..],
        ),
        (
            "version 3 becomes version 1",
            b"\xa0\x03\x02\x01\x02",
            b"\xa0\x03\x02\x01\x00",
            1,
            &["version 1", "subjectAltName"],
        ),
    ] {
        let (good, key) = certificate(&ours, "localhost");
        let mut der = good.to_vec();
        let found: Vec<usize> = (0..der.len() - from.len()).filter(|at| der[*at..].starts_with(from)).collect();
        assert_eq!(found.len(), places, "{what}");
        found.into_iter().for_each(|at| der[at..at + to.len()].copy_from_slice(to));
        let server = server(CertificateDer::from(der), &key, &TLS13, respond);
        assert_says(&bundle.client(&server).invoke(request(b"{}")), parts);
    }
}

#[test]
fn an_authoritys_certificate_as_the_servers_own_is_named() {
    let ours = authority();
    let server = server(ours.der().clone(), ours.key(), &TLS13, respond);
    let bundle = Bundle::new("authority", ours.pem().as_bytes());
    assert_says(&bundle.client(&server).invoke(request(b"{}")), &["CA:TRUE", "openssl req -x509", "CA:FALSE"]);
}

#[test]
fn an_authority_that_is_not_trusted_is_told_with_the_setting_for_it() {
    let bundle = Bundle::new("other", authority().pem().as_bytes());
    for (name, part) in [("other", "not trusted"), ("ours", "same name")] {
        let (certificate, key) = certificate(&authority_named(name), "localhost");
        let server = server(certificate, &key, &TLS13, respond);
        assert_says(&bundle.client(&server).invoke(request(b"{}")), &[part, "ca_bundle"]);
    }
}

#[test]
fn a_server_that_speaks_plain_http_is_told_with_the_url_for_it() {
    let bundle = Bundle::new("plain", authority().pem().as_bytes());
    for bytes in
        [response("400 Bad Request", "", "Client sent an HTTP request to an HTTPS server."), "hello\r\n".to_owned()]
    {
        let server = Server::start(move |_, mut connection| {
            connection.send(bytes.as_bytes());
            connection.wait_closed();
        });
        assert_says(&bundle.client(&server).invoke(request(b"{}")), &["not TLS", "http://"]);
    }
}

#[test]
fn a_server_that_closes_without_the_end_of_tls_is_told_without_a_manual() {
    let ours = authority();
    let bundle = Bundle::new("closing", ours.pem().as_bytes());
    let (certificate, key) = certificate(&ours, "localhost");
    let server = server(certificate, &key, &TLS13, |_| ());
    let outcome = bundle.client(&server).invoke(request(b"{}"));
    assert_eq!((outcome.status, outcome.execution), (Status::Io, Execution::Unknown));
    let message = outcome.error_message.unwrap();
    assert!(message.ends_with("without sending TLS close_notify"), "{message}");
}

#[test]
fn a_bundle_may_begin_with_a_byte_order_mark() {
    let ours = authority();
    let (certificate, key) = certificate(&ours, "localhost");
    let server = server(certificate, &key, &TLS13, respond);
    let bundle = Bundle::new("mark", format!("\u{feff}{}", ours.pem()).as_bytes());
    assert_eq!(bundle.client(&server).invoke(request(b"{}")).status, Status::Ok);
}

/// Without TLS it may: hyper then parses up to 128 buffers of 400 KB before it lets anybody else go on.
#[test]
fn informational_responses_without_end_do_not_keep_a_call_from_its_deadline() {
    let ours = authority();
    let (certificate, key) = certificate(&ours, "localhost");
    let server = server(certificate, &key, &TLS13, |stream| {
        let many = "HTTP/1.1 100 Continue\r\n\r\n".repeat(4_000);
        while stream.write_all(many.as_bytes()).is_ok() {}
    });
    let client = Bundle::new("flood", ours.pem().as_bytes()).client(&server);
    let started = Instant::now();
    let mut asked = Vec::new();
    let invocation = Invocation::from(request(b"{}")).timeout(Duration::from_secs(2));
    let outcome = client.invoke_interruptible(invocation, &mut || {
        asked.push(Instant::now());
        false
    });
    let late = started.elapsed().saturating_sub(Duration::from_secs(2));
    assert_eq!((outcome.status, outcome.execution), (Status::Timeout, Execution::Unknown), "{outcome:?}");
    let gap = asked.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(late < Duration::from_secs(1) && gap < Duration::from_secs(1), "late {late:?}, asked after {gap:?}");
}
