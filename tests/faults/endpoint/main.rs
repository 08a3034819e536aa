//! An endpoint that injects faults into calls, and keeps the ledger of what an honest service would have run.
//!
//! It is independent of the library that it tests: its HTTP is written here, on plain sockets, since no server library would
//! break off where it has to; its TLS is rustls's server side; the errors of the service come from botocore's model. Rust,
//! since rustls and certificates are at hand here, and since a million calls need a compiled program.
//!
//! usage: fault_endpoint SEED LEDGER CA_FILE ERRORS_FILE. Prints its ports, and ends when its standard input does.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "this is part of a test: whatever it does not expect has to end it"
)]

mod answers;
mod connection;
mod draw;
mod frames;
mod ledger;
mod script;

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use socket2::{Domain, Socket, Type};

use answers::{Call, Invocation, KINDS};
use connection::{Connection, ENDINGS, Ending, Head};
use draw::Draw;
use frames::FRAME_KINDS;
use ledger::{Entry, Expected, Ledger, Payload, hash};
use script::{AFTER, After, PACES, PLACES, Pace, Place, Script};

/// Separates the draws of connections from those of calls.
const CONNECTION: u64 = 1;
const CALL: u64 = 2;

/// What breaks before a request can name its call.
const NAMELESS: [&str; 14] = [
    "accept-Close",
    "accept-Reset",
    "accept-Stall",
    "accept-HalfClose",
    "handshake-bytes",
    "handshake-Alert",
    "handshake-garbage",
    "head-Close",
    "head-Reset",
    "head-Stall",
    "head-HalfClose",
    "reuse-Close",
    "reuse-Reset",
    "reuse-HalfClose",
];

/// How a port serves.
#[derive(Clone, Copy)]
struct Manner {
    is_tls: bool,
    /// Without faults: for tests of something else.
    is_sound: bool,
}

const FAULTY: Manner = Manner { is_tls: false, is_sound: false };

struct Endpoint {
    seed: u64,
    ledger: Ledger,
    errors: Vec<(String, u16)>,
    tls: Vec<Arc<ServerConfig>>,
    redirected_to: SocketAddr,
    connections: AtomicU64,
    open: AtomicU64,
    is_over: AtomicBool,
}

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let [_, seed, ledger, ca_file, errors_file] = &arguments[..] else {
        panic!("usage: fault_endpoint SEED LEDGER CA_FILE ERRORS_FILE");
    };
    let errors = std::fs::read_to_string(errors_file).unwrap();
    let errors = errors.lines().map(|line| line.split_once('\t').unwrap());
    let redirected = listen();
    let endpoint: &'static Endpoint = Box::leak(Box::new(Endpoint {
        seed: seed.parse().unwrap(),
        ledger: Ledger::create(Path::new(ledger)).unwrap(),
        errors: errors.map(|(code, status)| (code.into(), status.parse().unwrap())).collect(),
        tls: tls(Path::new(ca_file)),
        redirected_to: redirected.local_addr().unwrap(),
        connections: AtomicU64::new(0),
        open: AtomicU64::new(0),
        is_over: AtomicBool::new(false),
    }));
    let (http, https, sound, sound_tls, full) = (listen(), listen(), listen(), listen(), full());
    let (refused, blinking, blinking_tls) = (reserve(), reserve(), reserve());
    let ports = [
        ("http", http.local_addr().unwrap().port()),
        ("https", https.local_addr().unwrap().port()),
        ("sound", sound.local_addr().unwrap().port()),
        ("sound-tls", sound_tls.local_addr().unwrap().port()),
        ("blinking", port_of(&blinking)),
        ("blinking-tls", port_of(&blinking_tls)),
        ("refused", port_of(&refused)),
        ("full", port_of(&full)),
    ];
    let declared = [
        KINDS.iter().map(ToString::to_string).collect::<Vec<_>>(),
        FRAME_KINDS.iter().map(ToString::to_string).collect(),
        PLACES.iter().map(ToString::to_string).collect(),
        ENDINGS.iter().map(|ending| format!("{ending:?}")).collect(),
        PACES.iter().map(|pace| format!("{pace:?}")).collect(),
        AFTER.iter().map(|after| format!("{after:?}")).collect(),
        NAMELESS.iter().map(ToString::to_string).collect(),
    ];
    println!("{}", ports.map(|(name, port)| format!("{name}={port}")).join(" "));
    println!("{}", declared.map(|names| names.join(",")).join(" "));
    thread::spawn(move || accept_all(endpoint, http, FAULTY));
    thread::spawn(move || accept_all(endpoint, https, Manner { is_tls: true, ..FAULTY }));
    thread::spawn(move || accept_all(endpoint, sound, Manner { is_sound: true, ..FAULTY }));
    thread::spawn(move || accept_all(endpoint, sound_tls, Manner { is_tls: true, is_sound: true }));
    thread::spawn(move || blink(endpoint, blinking, FAULTY));
    thread::spawn(move || blink(endpoint, blinking_tls, Manner { is_tls: true, ..FAULTY }));
    thread::spawn(move || second_ledger(endpoint, &redirected));
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
    endpoint.is_over.store(true, Ordering::SeqCst);
    // The clients are gone, so their connections end by themselves.
    let began = Instant::now();
    while endpoint.open.load(Ordering::SeqCst) > 0 && began.elapsed() < Duration::from_secs(25) {
        thread::sleep(Duration::from_millis(10));
    }
    endpoint.ledger.flush();
}

fn listen() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap()
}

/// Makes TLS configurations for localhost, one for each version, and writes the certificate of their authority.
fn tls(ca_file: &Path) -> Vec<Arc<ServerConfig>> {
    let mut parameters = CertificateParams::default();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(ca_file, authority.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
    let versions = [&rustls::version::TLS12, &rustls::version::TLS13];
    let config = |version| {
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let builder = builder.with_protocol_versions(&[version]).unwrap().with_no_client_auth();
        Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).unwrap())
    };
    versions.map(config).into()
}

/// Reserves a port on which nobody listens. Nothing else gets it, not even the near end of a connection to it.
fn reserve() -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    socket
}

fn port_of(socket: &Socket) -> u16 {
    socket.local_addr().unwrap().as_socket().unwrap().port()
}

/// Listens with a queue that is full: connections are neither accepted nor refused.
fn full() -> Socket {
    let socket = reserve();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    // The queue holds one more than it was asked to; one that does not get in shows that it is full.
    while let Ok(connection) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        std::mem::forget(connection);
    }
    socket
}

fn accept_all(endpoint: &'static Endpoint, listener: TcpListener, manner: Manner) {
    for connection in listener.incoming() {
        begin(endpoint, connection.unwrap(), manner);
    }
}

/// Listens on a reserved port and stops again, in turns: connections are refused, or reset before they are accepted.
fn blink(endpoint: &'static Endpoint, reserved: Socket, manner: Manner) {
    let address = reserved.local_addr().unwrap();
    let mut draw = Draw::of(endpoint.seed, [CONNECTION, address.as_socket().unwrap().port().into(), 0]);
    while !endpoint.is_over.load(Ordering::SeqCst) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&address).unwrap();
        socket.listen(128).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        let until = Instant::now() + Duration::from_millis(10 + draw.below(30) as u64);
        while Instant::now() < until {
            if let Ok((connection, _)) = socket.accept() {
                begin(endpoint, connection.into(), manner);
            }
        }
        drop(socket);
        thread::sleep(Duration::from_millis(draw.below(30) as u64));
    }
}

/// Notes every request that follows a redirect, as one that nobody may make.
fn second_ledger(endpoint: &'static Endpoint, listener: &TcpListener) {
    for connection in listener.incoming() {
        let mut connection = Connection::new(connection.unwrap(), None);
        if let Some(id) = connection.head().and_then(|head| id_of(&head)) {
            endpoint.ledger.enter(&Entry {
                id,
                attempt: endpoint.ledger.begin(id),
                label: "redirected".into(),
                executed: true,
                expected: Expected::Open,
                payload: Payload::Broken,
                request_hash: None,
                since_unsolicited: None,
            });
        }
    }
}

fn begin(endpoint: &'static Endpoint, tcp: TcpStream, manner: Manner) {
    let number = endpoint.connections.fetch_add(1, Ordering::SeqCst);
    endpoint.open.fetch_add(1, Ordering::SeqCst);
    let serve = move || {
        endpoint.serve(tcp, manner, number);
        endpoint.open.fetch_sub(1, Ordering::SeqCst);
    };
    thread::Builder::new().stack_size(256 * 1024).spawn(serve).unwrap();
}

/// The call that a request's path names: `/2015-03-31/functions/f-<id>/invocations`, or with another date
/// `response-streaming-invocations`.
fn id_of(head: &Head) -> Option<u64> {
    let (_, rest) = head.text.split_once("/functions/f-")?;
    rest.split_once('/')?.0.parse().ok()
}

impl Endpoint {
    fn serve(&self, tcp: TcpStream, manner: Manner, number: u64) {
        let Manner { is_tls, is_sound } = manner;
        let mut draw = Draw::of(self.seed, [CONNECTION, number, 1]);
        let tls = is_tls.then(|| draw.one_of(&self.tls));
        let mut connection = Connection::new(tcp, tls);
        if is_sound {
            return self.serve_soundly(connection);
        }
        let at = draw.below(if is_tls { 100 } else { 50 });
        let ending = match at {
            0 => Some(("accept-Close", Ending::Cut)),
            1 => Some(("accept-Reset", Ending::Reset)),
            2 => Some(("accept-Stall", Ending::Stall)),
            3 => Some(("accept-HalfClose", Ending::HalfClose)),
            50..54 => {
                // The server's own bytes of a handshake; a few more than it has let it through.
                connection.limit(draw.below(1_500));
                None
            }
            54..56 => Some(("handshake-Alert", Ending::Alert)),
            56..58 => {
                connection.send_raw(b"HTTP/1.1 400 Bad Request\r\n\r\nThis is not TLS.");
                Some(("handshake-garbage", Ending::Cut))
            }
            _ => None,
        };
        match ending {
            Some((label, ending)) => {
                self.ledger.enter_nameless(label);
                connection.end(ending);
            }
            None => self.serve_requests(connection, number, (50..54).contains(&at)),
        }
    }

    fn serve_soundly(&self, mut connection: Connection) {
        while let Some(head) = connection.head() {
            let call = self.call(&head);
            let script = Script::sound(&call, &mut Draw::of(self.seed, [CALL, call.id, call.attempt]));
            let Some(next) = self.take_request(connection, &head, &call, &script, None) else { return };
            connection = next;
            if !connection.send(&script.answer.bytes) {
                return;
            }
        }
    }

    fn serve_requests(&self, mut connection: Connection, number: u64, is_limited: bool) {
        let mut unsolicited: Option<Instant> = None;
        let mut shortest: Option<Duration> = None;
        for count in 0.. {
            let mut draw = Draw::of(self.seed, [CONNECTION, number, 2 + count]);
            // A request that crosses an unsolicited response has to be named.
            if unsolicited.is_none() && draw.percent(4) {
                let length = draw.one_of(&[0, 1, draw.clone().below(100), draw.clone().below(400)]);
                if connection.fill(length) {
                    let (label, ending) = draw.one_of(&[
                        ("head-Close", Ending::Close),
                        ("head-Reset", Ending::Reset),
                        ("head-Stall", Ending::Stall),
                        ("head-HalfClose", Ending::HalfClose),
                    ]);
                    self.ledger.enter_nameless(label);
                    connection.end(ending);
                }
                return;
            }
            if !connection.fill(1) {
                if is_limited && count == 0 {
                    self.ledger.enter_nameless("handshake-bytes");
                }
                return;
            }
            connection.unlimit();
            // From then on the client takes every response of the connection for that of the next request.
            shortest = shortest.into_iter().chain(unsolicited.map(|sent| sent.elapsed())).min();
            let Some(head) = connection.head() else { return };
            let call = self.call(&head);
            let mut draw = Draw::of(self.seed, [CALL, call.id, call.attempt]);
            let script = Script::draw(&call, head.length, connection.is_tls(), &mut draw);
            let Some(next) = self.take_request(connection, &head, &call, &script, shortest) else { return };
            let Some((next, sent)) = self.play(next, &script, &mut draw, number) else { return };
            connection = next;
            unsolicited = sent;
        }
    }

    /// Counts an attempt of the call that a request names.
    fn call(&self, head: &Head) -> Call<'_> {
        let id = id_of(head).unwrap_or_else(|| panic!("a request that names no call: {}", head.text));
        let invocation = match head.header("x-amz-invocation-type") {
            Some("Event") => Invocation::Event,
            Some("DryRun") => Invocation::DryRun,
            _ => Invocation::RequestResponse,
        };
        let attempt = self.ledger.begin(id);
        let is_streamed =
            invocation == Invocation::RequestResponse && head.text.contains("/response-streaming-invocations ");
        Call { id, attempt, invocation, is_streamed, errors: &self.errors, redirected_to: self.redirected_to }
    }

    /// Reads a request as far as the script says, and enters it in the ledger. Returns the connection if there is something
    /// to send on it.
    fn take_request(
        &self,
        mut connection: Connection,
        head: &Head,
        call: &Call,
        script: &Script,
        since_unsolicited: Option<Duration>,
    ) -> Option<Connection> {
        let mut entry = Entry {
            id: call.id,
            attempt: call.attempt,
            label: script.label(),
            executed: false,
            expected: script.answer.expected,
            payload: script.answer.payload,
            request_hash: None,
            since_unsolicited,
        };
        match script.place {
            Place::Request(length) | Place::Early(length) => {
                connection.fill(length);
            }
            _ => match connection.body(head.length) {
                Some(body) => entry.request_hash = Some(hash(&body)),
                None => {
                    entry.label = "client-left".into();
                    (entry.expected, entry.payload) = (Expected::Open, Payload::Broken);
                    self.ledger.enter(&entry);
                    return None;
                }
            },
        }
        // Before anything is sent: once the client has a response, the test may end.
        entry.executed = script.is_executed(call.invocation == Invocation::DryRun);
        self.ledger.enter(&entry);
        Some(connection)
    }

    /// Sends what the script says. Returns the connection if it is kept, and when an unsolicited response was last sent on it.
    fn play(
        &self,
        mut connection: Connection,
        script: &Script,
        draw: &mut Draw,
        number: u64,
    ) -> Option<(Connection, Option<Instant>)> {
        let answer = &script.answer;
        let bytes = match script.place {
            Place::Request(_) | Place::BetweenThem => &[],
            Place::Answer(length) => &answer.bytes[..length],
            Place::Nowhere | Place::Early(_) | Place::Record(_) => &answer.bytes[..],
        };
        if let Place::Record(length) = script.place {
            connection.limit(length);
        }
        let is_kept = script.place == Place::Nowhere && !answer.ends_with_connection;
        let with = is_kept && script.after == After::UnsolicitedWith;
        let sent = if with {
            send(&mut connection, &[bytes, &answers::unsolicited(number)].concat(), script.pace, draw)
        } else {
            send(&mut connection, bytes, script.pace, draw)
        };
        if !is_kept {
            connection.end(script.ending);
            return None;
        }
        if !sent {
            return None;
        }
        let mut unsolicited = (with || answer.has_rest).then(Instant::now);
        match script.after {
            After::Keep | After::UnsolicitedWith => {}
            After::CloseAtOnce => return None,
            After::CloseSoon => {
                thread::sleep(Duration::from_micros(draw.below(3_000) as u64));
                connection.end(Ending::Close);
                return None;
            }
            After::CloseLater => {
                if !connection.is_readable_within(Duration::from_millis(5 + draw.below(50) as u64)) {
                    connection.end(Ending::Close);
                    return None;
                }
            }
            After::CloseOnReuse | After::ResetOnReuse | After::HalfCloseOnReuse => {
                if connection.fill(1) {
                    let (label, ending) = match script.after {
                        After::ResetOnReuse => ("reuse-Reset", Ending::Reset),
                        After::HalfCloseOnReuse => ("reuse-HalfClose", Ending::HalfClose),
                        _ => ("reuse-Close", Ending::Cut),
                    };
                    self.ledger.enter_nameless(label);
                    connection.end(ending);
                }
                return None;
            }
            After::UnsolicitedAtOnce => {
                connection.send(&answers::unsolicited(number));
                unsolicited = Some(Instant::now());
            }
            After::UnsolicitedLater => {
                if !connection.is_readable_within(Duration::from_millis(1 + draw.below(50) as u64)) {
                    connection.send(&answers::unsolicited(number));
                    unsolicited = Some(Instant::now());
                }
            }
        }
        Some((connection, unsolicited))
    }
}

/// Sends bytes at a pace; false if the client is gone.
fn send(connection: &mut Connection, bytes: &[u8], pace: Pace, draw: &mut Draw) -> bool {
    let mut pause = |limit: usize| thread::sleep(Duration::from_millis(draw.below(limit) as u64));
    match pace {
        Pace::AtOnce => connection.send(bytes),
        Pace::Late => {
            pause(60);
            connection.send(bytes)
        }
        Pace::Pieces => bytes.chunks(bytes.len() / 8 + 1).all(|piece| {
            pause(20);
            connection.send(piece)
        }),
        Pace::Drip => bytes.chunks(1).all(|byte| {
            pause(20);
            connection.send(byte)
        }),
    }
}
