//! HTTPS with certificates of our own: whom the library trusts and whom not.

#![allow(clippy::unwrap_used, reason = "these are tests, outside a test function too")]

mod support;
#[path = "support/tls.rs"]
mod tls_support;

use std::{env, fs, process};

use lambda_invoke::{Client, Execution, Status};
use support::{config, request};
use tls_support::{authority, certificate, respond, server};

/// One test, since whom to trust is read from the environment of the process.
#[test]
fn only_who_is_trusted_gets_a_request() {
    let (ours, other) = (authority(), authority());
    let file = env::temp_dir().join(format!("lambda-invoke-ca-{}.pem", process::id()));
    fs::write(&file, ours.pem()).unwrap();
    // SAFETY: this process has one test, and no other thread yet.
    unsafe {
        env::set_var("SSL_CERT_FILE", &file);
        env::remove_var("SSL_CERT_DIR");
        // It goes before both.
        env::remove_var("AWS_CA_BUNDLE");
    }
    let (tls12, tls13) = (&rustls::version::TLS12, &rustls::version::TLS13);
    for (what, authority, name, version, trusted) in [
        ("TLS 1.3", &ours, "localhost", tls13, true),
        ("TLS 1.2", &ours, "localhost", tls12, true),
        ("another authority", &other, "localhost", tls13, false),
        ("another name", &ours, "lambda.example", tls13, false),
    ] {
        let (certificate, key) = certificate(authority, name);
        let server = server(certificate, &key, version, respond);
        let client = Client::new(&config(&format!("https://localhost:{}", server.address.port()))).unwrap();
        let outcome = client.invoke(request(b"{}"));
        if trusted {
            assert_eq!((outcome.status, outcome.payload.as_slice()), (Status::Ok, b"secret".as_slice()), "{what}");
        } else {
            let facts = (outcome.status, outcome.execution, outcome.attempts);
            assert_eq!(facts, (Status::Tls, Execution::None, 1), "{what}: {outcome:?}");
            let message = outcome.error_message.unwrap();
            assert!(message.contains("localhost") && message.contains("certificate"), "{what}: {message}");
        }
    }
    fs::remove_file(file).unwrap();
}
