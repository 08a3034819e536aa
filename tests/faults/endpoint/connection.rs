//! A server's end of a connection, plain or TLS, which can break off at any byte and in every manner.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::SockRef;

/// A client whose call ended closes its connection; one that does not within this time has lost it.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a connection breaks off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// In TLS with close_notify.
    Close,
    /// In TLS without close_notify.
    Cut,
    Reset,
    /// Nothing more is sent, until the client closes.
    Stall,
    /// The sending half is closed; the rest of the request is still read.
    HalfClose,
    /// A fatal alert that is not encrypted; without TLS, bytes that are not HTTP.
    Alert,
}

pub const ENDINGS: [Ending; 6] =
    [Ending::Close, Ending::Cut, Ending::Reset, Ending::Stall, Ending::HalfClose, Ending::Alert];

const FATAL_ALERT: [u8; 7] = [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x28];

/// A socket that can refuse to send after some bytes, so that TLS is cut inside its records.
pub struct Limited {
    tcp: TcpStream,
    left: usize,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.tcp.read(buffer)
    }
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(ErrorKind::Other.into());
        }
        let written = self.tcp.write(&bytes[..bytes.len().min(self.left)])?;
        self.left -= written;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

enum Stream {
    Plain(Limited),
    Tls(Box<StreamOwned<ServerConnection, Limited>>),
}

pub struct Connection {
    stream: Stream,
    read: Vec<u8>,
}

/// A request, as far as its head was read.
pub struct Head {
    pub text: String,
    pub length: usize,
}

impl Head {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.text.split("\r\n").find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

impl Connection {
    pub fn new(tcp: TcpStream, tls: Option<Arc<ServerConfig>>) -> Self {
        tcp.set_nodelay(true).unwrap();
        tcp.set_read_timeout(Some(PATIENCE)).unwrap();
        tcp.set_write_timeout(Some(PATIENCE)).unwrap();
        let limited = Limited { tcp, left: usize::MAX };
        let stream = match tls {
            None => Stream::Plain(limited),
            Some(config) => Stream::Tls(Box::new(StreamOwned::new(ServerConnection::new(config).unwrap(), limited))),
        };
        Self { stream, read: Vec::new() }
    }

    pub fn is_tls(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    fn tcp(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(limited) => &limited.tcp,
            Stream::Tls(tls) => &tls.sock.tcp,
        }
    }

    /// Sends only this many further bytes on the socket, TLS's own included.
    pub fn limit(&mut self, bytes: usize) {
        match &mut self.stream {
            Stream::Plain(limited) => limited.left = bytes,
            Stream::Tls(tls) => tls.sock.left = bytes,
        }
    }

    pub fn unlimit(&mut self) {
        self.limit(usize::MAX);
    }

    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.stream {
            Stream::Plain(limited) => limited.read(buffer),
            Stream::Tls(tls) => tls.read(buffer),
        }
    }

    /// Sends bytes; false if the client is gone or the limit is reached.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        match &mut self.stream {
            Stream::Plain(limited) => limited.write_all(bytes).is_ok(),
            Stream::Tls(tls) => tls.write_all(bytes).and_then(|()| tls.flush()).is_ok(),
        }
    }

    /// Reads until there are `length` bytes; false if the client closed before.
    pub fn fill(&mut self, length: usize) -> bool {
        let mut buffer = [0; 16_384];
        while self.read.len() < length {
            match self.receive(&mut buffer) {
                Ok(count @ 1..) => self.read.extend_from_slice(&buffer[..count]),
                _ => return false,
            }
        }
        true
    }

    /// Reads the head of the next request, but leaves what follows; `None` if the client closed.
    pub fn head(&mut self) -> Option<Head> {
        loop {
            if let Some(end) = self.read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let text = String::from_utf8_lossy(&self.read[..end + 2]).into_owned();
                self.read.drain(..end + 4);
                let mut head = Head { text, length: 0 };
                head.length = head.header("content-length").map_or(0, |length| length.parse().unwrap());
                return Some(head);
            }
            if !self.fill(self.read.len() + 1) {
                return None;
            }
        }
    }

    /// Reads a whole body; `None` if the client closed before its end.
    pub fn body(&mut self, length: usize) -> Option<Vec<u8>> {
        self.fill(length).then(|| self.read.drain(..length).collect())
    }

    /// Waits for the first byte of another request; false if none came in time.
    pub fn is_readable_within(&mut self, wait: Duration) -> bool {
        if !self.read.is_empty() {
            return true;
        }
        self.tcp().set_read_timeout(Some(wait.max(Duration::from_micros(1)))).unwrap();
        let readable = self.tcp().peek(&mut [0]).is_ok();
        self.tcp().set_read_timeout(Some(PATIENCE)).unwrap();
        readable
    }

    /// Reads and drops what still comes, until the client closes.
    pub fn drain(self) {
        let began = Instant::now();
        let mut buffer = [0; 16_384];
        while began.elapsed() < PATIENCE && matches!((&mut self.tcp()).read(&mut buffer), Ok(1..)) {}
    }

    /// Sends bytes below TLS.
    pub fn send_raw(&self, bytes: &[u8]) {
        let _ = (&mut self.tcp()).write_all(bytes);
    }

    pub fn end(mut self, ending: Ending) {
        match ending {
            Ending::Close => {
                if let Stream::Tls(tls) = &mut self.stream {
                    tls.conn.send_close_notify();
                    let _ = tls.flush();
                }
            }
            Ending::Cut => {}
            Ending::Reset => SockRef::from(self.tcp()).set_linger(Some(Duration::ZERO)).unwrap(),
            Ending::Stall => self.drain(),
            Ending::HalfClose => {
                let _ = self.tcp().shutdown(Shutdown::Write);
                self.drain();
            }
            Ending::Alert => self.send_raw(&FATAL_ALERT),
        }
    }
}
