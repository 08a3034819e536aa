//! A server whose responses a test scripts byte by byte, for behaviour that well-behaved servers do not have.

#![allow(dead_code, reason = "each test file uses some of it")]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use lambda_invoke::{Client, Config, InvocationRequest};

/// Runs a script for every connection on a thread of its own, with the number of the connection, counted from 0.
pub struct Server {
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    pub fn start(script: impl Fn(usize, Connection) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (script, count) = (Arc::new(script), Arc::clone(&connections));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (script, stream) = (Arc::clone(&script), stream.unwrap());
                let number = count.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || script(number, Connection(stream)));
            }
        });
        Self { address, connections }
    }

    /// Responds to the first request of every connection with the same bytes, then closes the connection.
    pub fn responding(response: impl Into<Vec<u8>>) -> Self {
        let response = response.into();
        Self::start(move |_, mut connection| {
            if connection.request().is_some() {
                connection.send(&response);
            }
        })
    }

    /// Returns how many connections have been made so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub fn config(&self) -> Config {
        config(&format!("http://{}", self.address))
    }

    pub fn client(&self) -> Client {
        Client::new(&self.config()).unwrap()
    }
}

/// The server's end of a connection.
pub struct Connection(pub TcpStream);

/// What a client sent.
pub struct Request {
    pub head: String,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }
}

impl Connection {
    /// Reads the next request completely; `None` if the client closed the connection.
    pub fn request(&mut self) -> Option<Request> {
        let head = self.head()?;
        let mut request = Request { head, body: Vec::new() };
        let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
        request.body.resize(length, 0);
        self.0.read_exact(&mut request.body).ok()?;
        Some(request)
    }

    /// Reads the head of the next request, but not its body.
    pub fn head(&mut self) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match self.0.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return None,
            }
        }
        Some(String::from_utf8(head).unwrap())
    }

    /// Sends bytes. Ignores errors, since the client may have closed the connection.
    pub fn send(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes);
    }

    /// Waits until the client closes its end.
    pub fn wait_closed(&mut self) {
        self.0.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut rest = [0; 65_536];
        while matches!(self.0.read(&mut rest), Ok(1..)) {}
    }

    /// Closes the connection with a reset instead of an end of file.
    pub fn reset(self) {
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        // SAFETY: the option's value is valid for reads, and its length is correct.
        unsafe {
            libc::setsockopt(
                std::os::fd::AsRawFd::as_raw_fd(&self.0),
                libc::SOL_SOCKET,
                libc::SO_LINGER,
                (&raw const linger).cast(),
                size_of_val(&linger) as u32,
            );
        }
    }
}

/// Returns settings that do not depend on the environment in which the tests run.
pub fn config(endpoint: &str) -> Config {
    let mut config = Config::default();
    config.region = Some("us-east-1".into());
    config.endpoint_url = Some(endpoint.into());
    // No proxy, whatever the environment has.
    config.proxy = Some(String::new());
    config.set_credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None).unwrap();
    config
}

pub fn request(payload: &[u8]) -> InvocationRequest {
    InvocationRequest { function_name: "f".into(), payload: Some(payload.to_vec()), ..InvocationRequest::default() }
}

/// Returns a response with a length, after which the connection stays open.
pub fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}
