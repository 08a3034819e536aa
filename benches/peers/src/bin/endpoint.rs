//! The endpoint of the benchmark: keep-alive on http and https, in one thread.
//!
//!     endpoint CA_FILE
//!
//! Writes its CA to CA_FILE, prints `HTTP_PORT HTTPS_PORT`, and serves until its standard input ends. It responds to
//! every invocation with as many bytes as it received. A function named `NAME-MS`, such as burst-1000, takes MS
//! milliseconds, and `stream-BYTES` streams BYTES. The first request of each connection must be signed correctly, so
//! that no client is fast because it does not sign; later ones are not checked, which would cost the endpoint's time.
//! GET /connections tells, by function, how many calls had to open a connection.

#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark may panic")]

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// As many bytes as one frame of a stream has.
const CHUNK: usize = 32_768;
const HEAD: &str = "x-amzn-RequestId: 0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0\r\n\
    X-Amzn-Trace-Id: root=1-5759e988-bd862e3fe1be46a994272793;sampled=0\r\n\
    X-Amz-Executed-Version: $LATEST\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n";

static CONNECTIONS: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let tls = certificates(&std::env::args().nth(1).expect("endpoint CA_FILE"));
    let (http, https) =
        (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    println!("{} {}", http.local_addr().unwrap().port(), https.local_addr().unwrap().port());
    std::thread::spawn(|| {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    loop {
        tokio::select! {
            accepted = http.accept() => {
                if let Ok((stream, _)) = accepted {
                    tokio::spawn(serve(no_delay(stream)));
                }
            }
            accepted = https.accept() => {
                if let Ok((stream, _)) = accepted {
                    let tls = tls.clone();
                    tokio::spawn(async move {
                        if let Ok(stream) = tls.accept(no_delay(stream)).await {
                            serve(stream).await;
                        }
                    });
                }
            }
        }
    }
}

fn no_delay(stream: TcpStream) -> TcpStream {
    stream.set_nodelay(true).unwrap();
    stream
}

fn certificates(ca_file: &str) -> TlsAcceptor {
    let (ca_key, key) = (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
    let mut ca = rcgen::CertificateParams::default();
    ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    ca.distinguished_name.push(rcgen::DnType::CommonName, "CA of a benchmark");
    std::fs::write(ca_file, ca.self_signed(&ca_key).unwrap().pem()).unwrap();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let server = rcgen::CertificateParams::new(["localhost".into(), "127.0.0.1".into()]).unwrap();
    let certificate = server.signed_by(&key, &issuer).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.into()], key.serialize_der().try_into().unwrap())
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) {
    let mut connection = Connection { received: Vec::with_capacity(16_384), response: Vec::new(), length: usize::MAX };
    let mut is_first = true;
    // A client that closes its connection ends it at a read or at a write.
    while connection.exchange(&mut stream, is_first).await.is_ok() {
        is_first = false;
    }
}

struct Connection {
    received: Vec<u8>,
    /// The response to a request of `length` bytes, which the next one is likely to have as well.
    response: Vec<u8>,
    length: usize,
}

impl Connection {
    async fn exchange<S: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: &mut S, is_first: bool) -> io::Result<()> {
        let head = self.head(stream).await?;
        let (line, headers) = head.split_once("\r\n").unwrap();
        let path = line.split(' ').nth(1).unwrap_or_default();
        if path == "/connections" {
            let counted = format!("{:?}", CONNECTIONS.lock().unwrap());
            return respond(stream, "200 OK", &counted).await;
        }
        let length = header(headers, "content-length").map_or(0, |value| value.parse().unwrap());
        if header(headers, "expect").is_some() {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        let body = self.body(stream, length, is_first).await?;
        let function = path.split('/').nth(3).unwrap_or_default();
        if is_first {
            *CONNECTIONS.lock().unwrap().entry(function.to_owned()).or_default() += 1;
            if let Err(expected) = verify(line, headers, &body) {
                return respond(stream, "403 Forbidden", &format!("\"not signed correctly: {expected}\"")).await;
            }
        }
        match function.rsplit_once('-') {
            Some(("stream", bytes)) => return respond_with_stream(stream, bytes.parse().unwrap()).await,
            Some((_, ms)) => tokio::time::sleep(Duration::from_millis(ms.parse().unwrap())).await,
            None => (),
        }
        if self.length != length {
            self.length = length;
            self.response = format!(
                "HTTP/1.1 200 OK\r\n{HEAD}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n\"{}\"",
                "a".repeat(length.saturating_sub(2))
            )
            .into_bytes();
        }
        stream.write_all(&self.response).await?;
        stream.flush().await
    }

    /// Returns the head of the next request, without the empty line.
    async fn head<S: AsyncRead + Unpin>(&mut self, stream: &mut S) -> io::Result<String> {
        loop {
            if let Some(end) = self.received.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.received[..end + 2]).into_owned();
                self.received.drain(..end + 4);
                return Ok(head);
            }
            if stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Reads a body, and keeps it only if it is needed.
    async fn body<S: AsyncRead + Unpin>(&mut self, stream: &mut S, length: usize, keep: bool) -> io::Result<Vec<u8>> {
        let mut kept = Vec::new();
        let mut left = length;
        loop {
            let taken = left.min(self.received.len());
            if keep {
                kept.extend_from_slice(&self.received[..taken]);
            }
            self.received.drain(..taken);
            left -= taken;
            if left == 0 {
                return Ok(kept);
            }
            self.received.reserve(left.min(262_144));
            if stream.read_buf(&mut self.received).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

fn header<'h>(headers: &'h str, name: &str) -> Option<&'h str> {
    let mut fields = headers.lines().filter_map(|line| line.split_once(':'));
    fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

async fn respond<S: AsyncWrite + Unpin>(stream: &mut S, status: &str, body: &str) -> io::Result<()> {
    let length = body.len();
    let response = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(response.as_bytes()).await?;
    stream.flush().await
}

async fn respond_with_stream<S: AsyncWrite + Unpin>(stream: &mut S, mut bytes: usize) -> io::Result<()> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\nTransfer-Encoding: chunked\r\n";
    stream.write_all(format!("{head}{HEAD}\r\n").as_bytes()).await?;
    let whole = frame("PayloadChunk", vec![b'a'; CHUNK]);
    while bytes >= CHUNK {
        stream.write_all(&whole).await?;
        bytes -= CHUNK;
    }
    if bytes > 0 {
        stream.write_all(&frame("PayloadChunk", vec![b'a'; bytes])).await?;
    }
    stream.write_all(&frame("InvokeComplete", b"{}".to_vec())).await?;
    stream.write_all(b"0\r\n\r\n").await?;
    stream.flush().await
}

/// Returns a frame of an event stream, as a chunk of HTTP.
fn frame(event: &'static str, payload: Vec<u8>) -> Vec<u8> {
    let text = |name: &'static str, value: &'static str| Header::new(name, HeaderValue::String(value.into()));
    let kind = if event == "PayloadChunk" { "application/octet-stream" } else { "application/json" };
    let message = Message::new(payload)
        .add_header(text(":event-type", event))
        .add_header(text(":content-type", kind))
        .add_header(text(":message-type", "event"));
    let mut frame = Vec::new();
    write_message_to(&message, &mut frame).unwrap();
    [format!("{:x}\r\n", frame.len()).as_bytes(), &frame, b"\r\n"].concat()
}

/// Checks Signature Version 4 by the description in AWS's documents. Returns the canonical request that was expected.
fn verify(line: &str, headers: &str, body: &[u8]) -> Result<(), String> {
    let authorization = header(headers, "authorization").ok_or("no Authorization")?;
    let part = |name: &str| {
        let mut parts = authorization.split([' ', ',']).filter_map(|part| part.split_once('='));
        parts.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned()).ok_or(format!("no {name}"))
    };
    let (credential, signed, signature) = (part("Credential")?, part("SignedHeaders")?, part("Signature")?);
    let (method, path) = line.rsplit_once(' ').and_then(|(start, _)| start.split_once(' ')).ok_or("no path")?;
    let mut canonical = format!("{method}\n{path}\n\n");
    for name in signed.split(';') {
        let value = header(headers, name).ok_or(format!("no {name}"))?;
        canonical += &format!("{name}:{value}\n");
    }
    canonical += &format!("\n{signed}\n{}", hex(&Sha256::digest(body)));
    let (access_key, scope) = credential.split_once('/').ok_or("no scope")?;
    if access_key != std::env::var("AWS_ACCESS_KEY_ID").unwrap() {
        return Err(format!("unknown access key {access_key}"));
    }
    let time = header(headers, "x-amz-date").ok_or("no X-Amz-Date")?;
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(&Sha256::digest(&canonical)));
    let secret = format!("AWS4{}", std::env::var("AWS_SECRET_ACCESS_KEY").unwrap());
    let key = scope.split('/').fold(secret.into_bytes(), |key, part| mac(&key, part));
    if hex(&mac(&key, &to_sign)) == signature { Ok(()) } else { Err(canonical) }
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
