//! One HTTP exchange. Nothing above this file names reqwest.

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::body::{Payload, Witness};
use super::config::default;
use super::error::Error;
use super::outcome::Status;
use super::wire::METHOD;

/// What the transport needs of the operating system.
pub(crate) trait System: Send + Sync + 'static {
    /// The addresses of a name; their ports are not looked at.
    fn lookup(&self, host: &str) -> Pin<Box<dyn Future<Output = Result<Vec<SocketAddr>, LookupError>> + Send>>;

    /// Whether the process, or the machine, has no descriptor left.
    fn is_out_of_descriptors(&self, error: &io::Error) -> bool;
}

/// Why a name has no address.
#[derive(Clone, Debug)]
pub(crate) struct LookupError {
    pub(crate) kind: LookupErrorKind,
    pub(crate) message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LookupErrorKind {
    /// The name does not exist.
    Permanent,
    Passing,
    /// The process has no descriptor left to look it up with.
    NoDescriptors,
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for LookupError {}

/// How an exchange ended without an answer. Whether the request may have left, its [`Witness`] knows.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    Resolve { permanent: bool },
    Connect { timeout: bool },
    Tls { certificate: bool },
    Io,
    Protocol,
    NoDescriptors,
}

/// How long a body may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) bytes: u64,
    /// Otherwise what is longer is cut there.
    pub(crate) longer_is_refused: bool,
}

/// Why a body did not come to its end.
#[derive(Debug)]
pub(crate) enum BodyFailure {
    Io(String),
    TooLarge,
    NoMemory,
}

/// The connections of one engine.
pub(crate) struct Transport {
    client: reqwest::Client,
    system: Arc<dyn System>,
}

/// The head of an answer and the way to its body.
pub(crate) struct Answer(reqwest::Response);

impl Transport {
    pub(crate) fn new(
        connect_timeout: Duration,
        tls: rustls::ClientConfig,
        system: Arc<dyn System>,
    ) -> Result<Self, Error> {
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .dns_resolver(Arc::new(Names(Arc::clone(&system))))
            .connect_timeout(connect_timeout)
            .tcp_nodelay(true)
            .tcp_keepalive(default::TCP_KEEPALIVE)
            .tcp_keepalive_interval(default::TCP_KEEPALIVE_INTERVAL)
            .tcp_keepalive_retries(default::TCP_KEEPALIVE_PROBES)
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(default::IDLE_TIMEOUT);
        #[cfg(target_os = "linux")]
        let builder = builder.tcp_user_timeout(default::TCP_USER_TIMEOUT);
        let client = builder.build().map_err(|error| {
            Error::new(Status::Internal, format!("the HTTP client could not be made: {}", chain(&error)))
        })?;
        Ok(Self { client, system })
    }

    /// Sends a request and waits for the head of its answer. `host` is for messages.
    pub(crate) async fn send(
        &self,
        url: &str,
        host: &str,
        mut headers: HeaderMap,
        payload: Bytes,
        witness: Witness,
    ) -> Result<Answer, Failure> {
        let is_https = url.starts_with("https:");
        let url = reqwest::Url::parse(url)
            .map_err(|error| Failure { kind: FailureKind::Protocol, message: format!("{host}: no URL: {error}") })?;
        // hyper leaves it out for an empty body, and some servers want it for a POST.
        headers.insert(CONTENT_LENGTH, HeaderValue::from(payload.len()));
        let mut request = reqwest::Request::new(METHOD, url);
        *request.headers_mut() = headers;
        *request.body_mut() = Some(reqwest::Body::wrap(Payload::new(payload, witness)));
        self.client.execute(request).await.map(Answer).map_err(|error| self.failure(host, is_https, &error))
    }

    fn failure(&self, host: &str, is_https: bool, error: &reqwest::Error) -> Failure {
        let (kind, what) = self.tell_apart(is_https, error);
        Failure { kind, message: format!("{what} {host}: {}", chain(error)) }
    }

    /// Reads the kind of a failure off the errors below it.
    fn tell_apart(&self, is_https: bool, error: &reqwest::Error) -> (FailureKind, &'static str) {
        for cause in causes(error) {
            if let Some(error) = cause.downcast_ref::<LookupError>() {
                let kind = match error.kind {
                    LookupErrorKind::Permanent => FailureKind::Resolve { permanent: true },
                    LookupErrorKind::Passing => FailureKind::Resolve { permanent: false },
                    LookupErrorKind::NoDescriptors => FailureKind::NoDescriptors,
                };
                return (kind, "could not look up the name of");
            }
            if let Some(error) = cause.downcast_ref::<io::Error>()
                && self.system.is_out_of_descriptors(error)
            {
                return (FailureKind::NoDescriptors, "no file descriptor was left for a connection to");
            }
            if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
                let certificate = matches!(tls, rustls::Error::InvalidCertificate(_));
                return (FailureKind::Tls { certificate }, "no TLS with");
            }
            if let Some(error) = cause.downcast_ref::<hyper::Error>()
                && error.is_parse()
            {
                return (FailureKind::Protocol, "no HTTP answer from");
            }
        }
        if error.is_connect() {
            let timeout = error.is_timeout();
            // hyper-util's connector marks what fails before the connection stands; what then remains is the handshake.
            let connected = !timeout && !causes(error).any(|cause| cause.to_string() == "tcp connect error");
            return match is_https && connected {
                true => (FailureKind::Tls { certificate: false }, "no TLS with"),
                false => (FailureKind::Connect { timeout }, "could not connect to"),
            };
        }
        (FailureKind::Io, "the connection broke to")
    }
}

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    pub(crate) fn headers(&mut self) -> HeaderMap {
        std::mem::take(self.0.headers_mut())
    }

    /// Appends the body to `into`, whole or as far as it came, with one byte to spare behind its end.
    pub(crate) async fn read(mut self, limit: Limit, into: &mut Vec<u8>) -> Result<(), BodyFailure> {
        let most = usize::try_from(limit.bytes).unwrap_or(usize::MAX);
        if let Some(length) = self.0.content_length() {
            match usize::try_from(length) {
                Ok(length) if length <= most => reserve(into, length)?,
                _ if limit.longer_is_refused => return Err(BodyFailure::TooLarge),
                _ => {}
            }
        }
        loop {
            match self.0.chunk().await {
                Ok(Some(chunk)) => {
                    let room = most - into.len();
                    if chunk.len() > room && limit.longer_is_refused {
                        return Err(BodyFailure::TooLarge);
                    }
                    let taken = &chunk[..chunk.len().min(room)];
                    reserve(into, taken.len())?;
                    into.extend_from_slice(taken);
                    if taken.len() < chunk.len() {
                        return Ok(());
                    }
                }
                Ok(None) => return Ok(()),
                Err(error) => return Err(BodyFailure::Io(chain(&error))),
            }
        }
    }
}

/// Room for `more` bytes and for the NUL that C programs like to see behind them.
fn reserve(into: &mut Vec<u8>, more: usize) -> Result<(), BodyFailure> {
    if into.capacity() - into.len() > more {
        return Ok(());
    }
    into.try_reserve(more.saturating_add(1)).map_err(|_| BodyFailure::NoMemory)
}

/// Hands reqwest's questions for addresses to the system.
struct Names(Arc<dyn System>);

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = self.0.lookup(name.as_str());
        Box::pin(async move {
            let addresses = lookup.await?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// An error and what caused it, outermost first.
fn causes<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |error| {
        let error: &'a (dyn StdError + 'static) = *error;
        match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            // An io::Error passes over what it wraps when it is asked for its source.
            Some(wrapped) => Some(wrapped as &(dyn StdError + 'static)),
            None => error.source(),
        }
    })
}

/// What happened, from the causes: the outermost only says that something did, and names the URL once more.
fn chain(error: &reqwest::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    for cause in causes(error).skip(1) {
        let text = cause.to_string();
        // hyper-util's own words for its kinds, which ours stand for; and wrappers repeat what they wrap.
        if !text.starts_with("client error (") && !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
    }
    texts.join(": ")
}
