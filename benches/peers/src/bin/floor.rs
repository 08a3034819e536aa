//! The least that a client could need: a socket, with TLS on it for https, a signed request, and the head and body of the
//! response.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark may panic")]

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use peers::{Case, identity, signature};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

trait Connection: Read + Write {}
impl<T: Read + Write> Connection for T {}

fn main() {
    let case = Case::from_arguments();
    let (scheme, host) = case.url.split_once("://").unwrap();
    let tls = (scheme == "https").then(tls);
    case.block(|function| {
        let stream = TcpStream::connect(host).unwrap();
        stream.set_nodelay(true).unwrap();
        let stream: Box<dyn Connection> = match tls.clone() {
            Some(config) => {
                let name = host.split(':').next().unwrap().to_owned().try_into().unwrap();
                Box::new(StreamOwned::new(ClientConnection::new(config, name).unwrap(), stream))
            }
            None => Box::new(stream),
        };
        let mut stream = BufReader::with_capacity(16_384, stream);
        let identity = identity();
        let path = Case::path(function);
        let url = format!("{}{path}", case.url);
        let payload = &case.payload;
        let case = &case;
        move || {
            let mut head = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: {}\r\n", payload.len());
            for (name, value) in signature(&identity, &url, payload) {
                write!(head, "{name}: {value}\r\n").unwrap();
            }
            head += "\r\n";
            let mut request = head.into_bytes();
            // One write for a small request, and no copy of a large one.
            let rest = if payload.len() > 65_536 { &payload[..] } else { &[] };
            request.extend_from_slice(if rest.is_empty() { payload } else { &[] });
            stream.get_mut().write_all(&request).unwrap();
            stream.get_mut().write_all(rest).unwrap();
            stream.get_mut().flush().unwrap();
            assert_eq!(response(&mut stream), case.payload.len());
        }
    });
}

fn tls() -> Arc<ClientConfig> {
    peers::use_ring();
    let mut roots = RootCertStore::empty();
    let file = std::env::var("SSL_CERT_FILE").unwrap();
    roots.add_parsable_certificates(CertificateDer::pem_file_iter(file).unwrap().map(Result::unwrap));
    Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())
}

/// Reads a response and returns the length of its body.
fn response(stream: &mut impl BufRead) -> usize {
    let (mut line, mut length) = (String::new(), 0);
    stream.read_line(&mut line).unwrap();
    assert!(line.starts_with("HTTP/1.1 200 "), "{line}");
    while line != "\r\n" {
        line.clear();
        stream.read_line(&mut line).unwrap();
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    body.len()
}
