//! HTTPS with certificates of our own: whom the library trusts and whom not.

#![allow(clippy::unwrap_used, reason = "these are tests, outside a test function too")]

mod support;

use std::io::Write;
use std::sync::Arc;
use std::{env, fs, process};

use lambda_invoke::{Client, Execution, Status};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};
use support::{Connection, Server, answer, config, request};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

/// Answers every request with 200, in TLS, with a certificate for `name`.
fn server(authority: &Authority, name: &str, version: &'static SupportedProtocolVersion) -> Server {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, authority).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .unwrap();
    let config = Arc::new(config);
    Server::start(move |_, connection: Connection| {
        let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = StreamOwned::new(tls, connection.0);
        let mut seen = Vec::new();
        while !seen.ends_with(b"\r\n\r\n{}") {
            let mut byte = [0];
            match std::io::Read::read(&mut stream, &mut byte) {
                Ok(1) => seen.push(byte[0]),
                // The client does not trust this server.
                _ => return,
            }
        }
        stream.write_all(answer("200 OK", "", "secret").as_bytes()).unwrap();
    })
}

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
    for (what, server, trusted) in [
        ("TLS 1.3", server(&ours, "localhost", tls13), true),
        ("TLS 1.2", server(&ours, "localhost", tls12), true),
        ("another authority", server(&other, "localhost", tls13), false),
        ("another name", server(&ours, "lambda.example", tls13), false),
    ] {
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
