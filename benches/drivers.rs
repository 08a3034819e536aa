//! Measures the CPU time of a call in this process, compared with other ways to drive the same HTTP client and with a
//! bare socket with the same signature. `make bench` runs it; ARCHITECTURE.md has the results of a run.
//!
//! The server is a separate process, so that its time does not count.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a benchmark may panic")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Barrier;
use std::time::{Duration, SystemTime};
use std::{env, thread};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use lambda_invoke::{Client, Config, InvocationRequest, Status};

const CALLS: usize = 20_000;
const THREADS: [usize; 5] = [1, 2, 8, 64, 256];
const PAYLOAD: &[u8] = br#"{"name":"Ada"}"#;
const PATH: &str = "/2015-03-31/functions/f/invocations";
const CREDENTIALS: (&str, &str) = ("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");

fn main() {
    if env::var_os("DRIVERS_SERVE").is_some() {
        return serve();
    }
    // The end of its standard input tells the server that this process has ended, whatever ended it.
    let mut server = Command::new(env::current_exe().unwrap())
        .env("DRIVERS_SERVE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    rustls::crypto::ring::default_provider().install_default().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address: SocketAddr = line.trim().parse().unwrap();

    println!("CPU microseconds per call ({CALLS} calls in all, one connection per thread)");
    println!("| calling threads |{} |", THREADS.map(|threads| format!(" {threads}")).join(" |"));
    println!("|---|{}", "---|".repeat(THREADS.len()));
    row("this library", || this_library(address));
    row("reqwest::blocking, same signature", || blocking(address));
    row("bare socket, same signature", || bare_socket(address));
    drop(server.stdin.take());
    server.wait().unwrap();
}

/// Prints a row of the table. `make` makes what all threads share; each call of its result makes one call.
fn row<C: FnMut()>(name: &str, make: impl Fn() -> Box<dyn Fn() -> C + Sync>) {
    let cells = THREADS.map(|threads| {
        let shared = make();
        let (ready, go) = (Barrier::new(threads + 1), Barrier::new(threads + 1));
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads)
                .map(|_| {
                    scope.spawn(|| {
                        let mut call = shared();
                        for _ in 0..10 {
                            call();
                        }
                        ready.wait();
                        go.wait();
                        (0..CALLS / threads).for_each(|_| call());
                    })
                })
                .collect();
            ready.wait();
            let before = cpu();
            go.wait();
            workers.into_iter().for_each(|worker| worker.join().unwrap());
            (cpu() - before).as_secs_f64() * 1e6 / (CALLS / threads * threads) as f64
        })
    });
    println!("| {name} |{} |", cells.map(|cell| format!(" {cell:.0}")).join(" |"));
}

fn this_library(address: SocketAddr) -> Box<dyn Fn() -> Box<dyn FnMut()> + Sync> {
    let mut config = Config::default();
    config.region = Some("us-east-1".into());
    config.endpoint_url = Some(format!("http://{address}"));
    config.max_connections = Some(1_000);
    config.set_credentials(CREDENTIALS.0, CREDENTIALS.1, None).unwrap();
    let client: &'static Client = Box::leak(Box::new(Client::new(&config).unwrap()));
    Box::new(move || {
        let request = InvocationRequest {
            function_name: "f".into(),
            payload: Some(PAYLOAD.to_vec()),
            ..InvocationRequest::default()
        };
        let invocation = lambda_invoke::Invocation::from(request);
        Box::new(move || {
            let outcome = client.invoke(&invocation);
            assert!(outcome.status == Status::Ok, "{outcome:?}");
        })
    })
}

fn blocking(address: SocketAddr) -> Box<dyn Fn() -> Box<dyn FnMut()> + Sync> {
    let client =
        reqwest::blocking::Client::builder().http1_only().no_proxy().pool_max_idle_per_host(1_000).build().unwrap();
    Box::new(move || {
        let client = client.clone();
        let identity = identity();
        let url = format!("http://{address}{PATH}");
        Box::new(move || {
            let mut request = client.post(&url).body(PAYLOAD);
            for (name, value) in signature(&identity, address) {
                request = request.header(name, value);
            }
            let response = request.send().unwrap();
            assert_eq!(response.status(), 200);
            response.bytes().unwrap();
        })
    })
}

fn bare_socket(address: SocketAddr) -> Box<dyn Fn() -> Box<dyn FnMut()> + Sync> {
    Box::new(move || {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut writer = stream;
        let identity = identity();
        Box::new(move || {
            let mut request =
                format!("POST {PATH} HTTP/1.1\r\nhost: {address}\r\ncontent-length: {}\r\n", PAYLOAD.len());
            for (name, value) in signature(&identity, address) {
                request += &format!("{name}: {value}\r\n");
            }
            request += "\r\n";
            let mut bytes = request.into_bytes();
            bytes.extend_from_slice(PAYLOAD);
            writer.write_all(&bytes).unwrap();
            exchange(&mut reader).unwrap();
        })
    })
}

fn identity() -> Identity {
    Credentials::new(CREDENTIALS.0, CREDENTIALS.1, None, None, "bench").into()
}

fn signature(identity: &Identity, address: SocketAddr) -> Vec<(String, String)> {
    let parameters = v4::SigningParams::builder()
        .identity(identity)
        .region("us-east-1")
        .name("lambda")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let url = format!("http://{address}{PATH}");
    let headers = [("content-type", "application/octet-stream")];
    let request = SignableRequest::new("POST", url, headers.into_iter(), SignableBody::Bytes(PAYLOAD)).unwrap();
    let (instructions, _) = sign(request, &parameters).unwrap().into_parts();
    let mut signed: Vec<_> = instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    signed.push(("content-type".into(), "application/octet-stream".into()));
    signed
}

/// Returns the user and system time of this process.
fn cpu() -> Duration {
    // SAFETY: a rusage of zeros is valid, and it is valid for writes.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1_000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// Serves every connection, and responds to each request with a small result.
fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    println!("{}", listener.local_addr().unwrap());
    thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    for stream in listener.incoming() {
        thread::spawn(move || {
            let mut writer = stream.unwrap();
            writer.set_nodelay(true).unwrap();
            let mut reader = BufReader::new(writer.try_clone().unwrap());
            while exchange(&mut reader).is_some() {
                let body = r#"{"greeting":"Hello, Ada!"}"#;
                let head = "HTTP/1.1 200 OK\r\nx-amzn-RequestId: 1\r\nContent-Type: application/json\r\n";
                let response = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
                if writer.write_all(response.as_bytes()).is_err() {
                    return;
                }
            }
        });
    }
}

/// Reads one complete message with a Content-Length; `None` at the end of the connection.
fn exchange(reader: &mut BufReader<TcpStream>) -> Option<()> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        if line == "\r\n" {
            break;
        }
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()
}
