//! One HTTP exchange. Nothing above this file names reqwest.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderValue};
use http::{Method, Version};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Url;
use zeroize::Zeroizing;

use crate::config::config::default;
use crate::config::proxy::{Proxies, Proxy};
use crate::config::shown_url::shown;
use crate::error::Error;
use crate::http::body::{Payload, SentTracker};
use crate::http::reuse::ConnectionReuse;
use crate::http::secret_value::secret_value;
use crate::http::tls_failure;
use crate::platform_api::{LookupError, LookupErrorKind, Platform};
use crate::request::http::METHOD;
use crate::server_text::ServerText;
use crate::status::Status;

/// How an exchange ended without a response. Whether the request may have left, its [`SentTracker`] knows.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: FailureKind,
    pub(crate) message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailureKind {
    Resolve {
        permanent: bool,
    },
    Connect {
        timeout: bool,
    },
    Tls {
        certificate: bool,
    },
    Io,
    Protocol,
    NoDescriptors,
    /// The proxy asks for a user and a password, or rejects those that it was given.
    ProxyAuthentication,
}

/// hyper-util's words for where a connection failed. Its types are not public; tests/proxy.rs holds it to them.
const TCP: &str = "tcp connect error";
const DNS: &str = "dns error";
const TUNNEL: &str = "tunnel error";
const TUNNEL_NOT_BEGUN: &str = "tunnel error: failed to create underlying connection";
const TUNNEL_WANTS_PASSWORD: &str = "tunnel error: proxy authorization required";
const SOCKS: &str = "SOCKS error";
/// The beginning of rustls's words, which go on with the URL of its manual.
const TLS_WITHOUT_END: &str = "peer closed connection without sending TLS close_notify";
const PROXY_AUTHENTICATION_REQUIRED: u16 = 407;

/// How long a body may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(crate) bytes: u64,
    /// Otherwise the beginning of what is longer is read.
    pub(crate) longer_is_refused: bool,
}

/// Why a body did not come to its end.
#[derive(Debug)]
pub(crate) enum BodyFailure {
    Io(String),
    TooLarge,
    NoMemory,
}

/// The settings that connections are made with.
#[derive(Clone)]
pub(crate) struct ConnectorSettings {
    /// For one connection: name, TCP, proxy and TLS together.
    pub(crate) timeout: Duration,
    pub(crate) tls: rustls::ClientConfig,
    pub(crate) platform: Arc<dyn Platform>,
    pub(crate) reuse: Arc<ConnectionReuse>,
}

/// The connections of one worker. Clones share them.
#[derive(Clone)]
pub(crate) struct Transport(Arc<Connections>);

struct Connections {
    client: reqwest::Client,
    /// Makes a connection for each request; made itself when a host is first known not to keep its connections.
    without_reuse: OnceLock<reqwest::Client>,
    /// Whether `client` may hold a connection that was used before.
    has_served: AtomicBool,
    connector: ConnectorSettings,
    proxies: Proxies,
}

/// The head of a response and the way to its body.
pub(crate) struct Response(reqwest::Response);

/// A request that is ready to be sent, and the client for it.
struct Post<'t> {
    client: &'t reqwest::Client,
    request: reqwest::Request,
    may_be_reused: bool,
}

impl Transport {
    pub(crate) fn new(connector: ConnectorSettings, proxies: &Proxies) -> Result<Self, Error> {
        Ok(Self(Arc::new(Connections {
            client: Self::client(&connector, proxies, 1)?,
            without_reuse: OnceLock::new(),
            has_served: AtomicBool::new(false),
            connector,
            proxies: proxies.clone(),
        })))
    }

    fn client(connector: &ConnectorSettings, proxies: &Proxies, max_idle: usize) -> Result<reqwest::Client, Error> {
        let failed = |error: reqwest::Error| {
            Error::new(Status::Internal, format!("the HTTP client could not be made: {}", chain(&error)))
        };
        let mut builder = reqwest::Client::builder()
            .tls_backend_preconfigured(connector.tls.clone())
            .http1_only()
            // RFC 9112, section 5.2: a client takes a folded header line for one line.
            .http1_allow_obsolete_multiline_headers_in_responses(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .dns_resolver(Arc::new(DnsResolver(Arc::clone(&connector.platform))))
            .connect_timeout(connector.timeout)
            .tcp_nodelay(true)
            .tcp_keepalive(default::TCP_KEEPALIVE)
            .tcp_keepalive_interval(default::TCP_KEEPALIVE_INTERVAL)
            .tcp_keepalive_retries(default::TCP_KEEPALIVE_PROBES)
            .pool_max_idle_per_host(max_idle)
            .pool_idle_timeout(default::IDLE_TIMEOUT);
        for (scheme, proxy) in [("http", &proxies.http), ("https", &proxies.https)] {
            if let Some(proxy) = &proxy.value {
                builder = builder.proxy(custom_proxy(scheme, proxy, proxies.clone()));
            }
        }
        #[cfg(target_os = "linux")]
        let builder = builder.tcp_user_timeout(default::TCP_USER_TIMEOUT);
        // Other systems have no such setting.
        #[cfg(not(target_os = "linux"))]
        let _ = default::TCP_USER_TIMEOUT;
        builder.build().map_err(failed)
    }

    /// Makes connections of its own in the same way, through other proxies.
    pub(crate) fn sibling(&self, proxies: &Proxies) -> Result<Self, Error> {
        Self::new(self.0.connector.clone(), proxies)
    }

    /// Returns what the operating system does for it.
    pub(crate) fn platform(&self) -> &Arc<dyn Platform> {
        &self.0.connector.platform
    }

    /// Makes an exchange that no call depends on for evidence.
    pub(crate) async fn fetch(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response, Failure> {
        let failed = |why: url::ParseError| Failure {
            kind: FailureKind::Protocol,
            message: format!("{} is not a valid URL: {why}", shown(url)),
        };
        let url = Url::parse(url).map_err(failed)?;
        let host = url.authority().rsplit('@').next().unwrap_or_default().to_owned();
        let mut request = reqwest::Request::new(method, url.clone());
        *request.headers_mut() = headers;
        if !body.is_empty() {
            *request.body_mut() = Some(reqwest::Body::from(body));
        }
        self.0.client.execute(request).await.map(Response).map_err(|error| self.0.failure(&url, &host, &error))
    }

    /// Sends a request and waits for the head of its response. `host` is for messages.
    pub(crate) async fn send(
        &self,
        url: &Url,
        host: &str,
        headers: HeaderMap,
        payload: Bytes,
        sent: &SentTracker,
    ) -> Result<Response, Failure> {
        let connections = &*self.0;
        let Post { client, request, may_be_reused } = connections.post(url, host, headers, payload, sent)?;
        let mut response = client.execute(request).await.map(Response).map_err(|error| {
            let failure = connections.failure(url, host, &error);
            if may_be_reused && failure.kind == FailureKind::Io && sent.may_have_left() {
                connections.connector.reuse.pause(host);
            }
            failure
        })?;
        connections.has_served.store(response.keeps_its_connection(), Ordering::Relaxed);
        // From a proxy that a plain request went to; of a tunnel it never becomes a response.
        if response.status() == PROXY_AUTHENTICATION_REQUIRED
            && let Some(proxy) = connections.proxies.of(url)
        {
            drop(response.headers());
            return Err(Failure {
                kind: FailureKind::ProxyAuthentication,
                message: format!("could not connect to {host}: {}", wants_password(proxy)),
            });
        }
        Ok(response)
    }
}

impl Connections {
    fn without_reuse(&self) -> Result<&reqwest::Client, Failure> {
        if let Some(client) = self.without_reuse.get() {
            return Ok(client);
        }
        let client = Transport::client(&self.connector, &self.proxies, 0)
            .map_err(|error| Failure { kind: FailureKind::Protocol, message: error.message().to_owned() })?;
        Ok(self.without_reuse.get_or_init(|| client))
    }

    fn post(
        &self,
        url: &Url,
        host: &str,
        mut headers: HeaderMap,
        payload: Bytes,
        sent: &SentTracker,
    ) -> Result<Post<'_>, Failure> {
        let is_paused = self.connector.reuse.is_paused(host);
        if is_paused {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        // hyper leaves it out for an empty body, and some servers want it for a POST.
        headers.insert(CONTENT_LENGTH, HeaderValue::from(payload.len()));
        let mut request = reqwest::Request::new(METHOD, url.clone());
        *request.headers_mut() = headers;
        *request.body_mut() = Some(reqwest::Body::wrap(Payload::new(payload, sent.clone())));
        Ok(Post {
            client: if is_paused { self.without_reuse()? } else { &self.client },
            request,
            may_be_reused: !is_paused && self.has_served.load(Ordering::Relaxed),
        })
    }

    fn failure(&self, url: &Url, host: &str, error: &reqwest::Error) -> Failure {
        let proxy = self.proxies.of(url);
        let (kind, what) = self.tell_apart(url.scheme() == "https", error);
        let through = proxy.map(|proxy| format!(" through the proxy {}", proxy.host())).unwrap_or_default();
        let tls = causes(error).find_map(|cause| tls_failure::explain(cause.downcast_ref()?));
        let why = match (kind, proxy, tls) {
            (FailureKind::ProxyAuthentication, Some(proxy), _) => wants_password(proxy),
            (FailureKind::Tls { .. }, _, Some(words)) => words.to_owned(),
            _ => chain(error),
        };
        Failure { kind, message: format!("{what} {host}{through}: {why}") }
    }

    /// Tells the kind of a failure by the errors that caused it.
    fn tell_apart(&self, is_https: bool, error: &reqwest::Error) -> (FailureKind, &'static str) {
        for cause in causes(error) {
            if let Some(error) = cause.downcast_ref::<LookupError>() {
                let kind = match error.kind {
                    LookupErrorKind::Permanent => FailureKind::Resolve { permanent: true },
                    LookupErrorKind::Temporary => FailureKind::Resolve { permanent: false },
                    LookupErrorKind::NoDescriptors => FailureKind::NoDescriptors,
                };
                return (kind, "could not look up the name of");
            }
            if let Some(error) = cause.downcast_ref::<io::Error>()
                && self.connector.platform.is_out_of_descriptors(error)
            {
                return (FailureKind::NoDescriptors, "no file descriptor was left for a connection to");
            }
            if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
                let certificate = matches!(tls, rustls::Error::InvalidCertificate(_));
                return (FailureKind::Tls { certificate }, "the TLS handshake failed with");
            }
            if let Some(error) = cause.downcast_ref::<hyper::Error>()
                && error.is_parse()
            {
                return (FailureKind::Protocol, "received something that is not HTTP from");
            }
        }
        if error.is_connect() {
            let timeout = error.is_timeout();
            let says = |text: &str| causes(error).any(|cause| cause.to_string().starts_with(text));
            if says(TUNNEL_WANTS_PASSWORD) {
                return (FailureKind::ProxyAuthentication, "could not connect to");
            }
            // hyper-util's connectors mark what fails before the connection stands; what then remains is the handshake.
            let connected = !timeout && ![TCP, TUNNEL, SOCKS].into_iter().any(says);
            return match is_https && connected {
                true => (FailureKind::Tls { certificate: false }, "the TLS handshake failed with"),
                false => (FailureKind::Connect { timeout }, "could not connect to"),
            };
        }
        (FailureKind::Io, "the connection broke to")
    }
}

impl Response {
    /// Returns whether a later request may find this one's connection.
    fn keeps_its_connection(&self) -> bool {
        let says_close = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"close");
        self.0.version() == Version::HTTP_11 && !self.0.headers().get_all(CONNECTION).iter().any(says_close)
    }

    pub(crate) fn status(&self) -> u16 {
        self.0.status().as_u16()
    }

    pub(crate) fn headers(&mut self) -> HeaderMap {
        std::mem::take(self.0.headers_mut())
    }

    /// Returns the next bytes of the body as they were received; `None` at its end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, BodyFailure> {
        self.0.chunk().await.map_err(|error| BodyFailure::Io(chain(&error)))
    }

    /// Reads a body in the pieces in which it was received. They share the connection's memory, so that what they hold can
    /// be wiped from there once the connection is closed.
    pub(crate) async fn pieces(mut self, max_bytes: usize, into: &mut Vec<Bytes>) -> Result<(), BodyFailure> {
        let mut total = 0;
        while let Some(piece) = self.chunk().await? {
            total += piece.len();
            into.push(piece);
            if total > max_bytes {
                return Err(BodyFailure::TooLarge);
            }
        }
        Ok(())
    }

    /// Appends the body to `into`, whole or as far as it came, with one byte to spare behind its end. Of one that is longer
    /// than the limit, it appends the beginning, or nothing if such a one is refused.
    pub(crate) async fn read(mut self, limit: Limit, into: &mut Vec<u8>) -> Result<(), BodyFailure> {
        let most = usize::try_from(limit.bytes).unwrap_or(usize::MAX);
        if let Some(length) = self.0.content_length() {
            match usize::try_from(length) {
                Ok(length) if length <= most => reserve(into, length)?,
                _ if limit.longer_is_refused => return Err(BodyFailure::TooLarge),
                _ => {}
            }
        }
        while let Some(chunk) = self.chunk().await? {
            let room = most - into.len();
            if chunk.len() > room && limit.longer_is_refused {
                return Err(BodyFailure::TooLarge);
            }
            let taken = &chunk[..chunk.len().min(room)];
            reserve(into, taken.len())?;
            into.extend_from_slice(taken);
            if taken.len() < chunk.len() {
                return Err(BodyFailure::TooLarge);
            }
        }
        Ok(())
    }
}

/// Makes room for `more` bytes and for the NUL that C programs expect behind them. Where there is no memory to grow by
/// half as much again, it makes room for no more than that.
fn reserve(into: &mut Vec<u8>, more: usize) -> Result<(), BodyFailure> {
    if into.capacity() - into.len() > more {
        return Ok(());
    }
    let more = more.saturating_add(1);
    into.try_reserve(more).or_else(|_| into.try_reserve_exact(more)).map_err(|_| BodyFailure::NoMemory)
}

/// Passes reqwest's lookups on to the platform.
struct DnsResolver(Arc<dyn Platform>);

impl Resolve for DnsResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_owned();
        let lookup = self.0.lookup(&host);
        Box::pin(async move {
            // The name may be a proxy's.
            let addresses =
                lookup.await.map_err(|error| LookupError { message: format!("{host}: {}", error.message), ..error })?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// A proxy for the URLs of one scheme. Its password goes into a header that is wiped, not into a URL, which reqwest copies.
fn custom_proxy(scheme: &'static str, proxy: &Proxy, proxies: Proxies) -> reqwest::Proxy {
    let custom = reqwest::Proxy::custom(move |url| {
        let proxy = (url.scheme() == scheme).then(|| proxies.of(url)).flatten();
        proxy.map(|proxy| proxy.url.clone())
    });
    let value = proxy.user_and_password.as_ref().and_then(|both| {
        let encoded = Zeroizing::new(STANDARD.encode(both.as_bytes()));
        secret_value(Zeroizing::new([b"Basic ", encoded.as_bytes()].concat())).ok()
    });
    match value {
        Some(value) => custom.custom_http_auth(value),
        None => custom,
    }
}

fn wants_password(proxy: &Proxy) -> String {
    let has_user = proxy.has_user();
    let what = if has_user { "rejects the user and password of its URL" } else { "asks for a user and a password" };
    format!("the proxy {} {what} (407)", proxy.host())
}

/// Goes through an error and what caused it, outermost first.
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

/// Says what happened from the causes: the outermost only says that something did, and names the URL once more. A cause
/// may hold a server's text, such as the names in its certificate.
fn chain(error: &reqwest::Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    for cause in causes(error).skip(1) {
        let mut text = cause.to_string();
        if text.starts_with(TLS_WITHOUT_END) {
            text.truncate(TLS_WITHOUT_END.len());
        }
        // hyper-util's own words for its kinds, which ours stand for; and wrappers repeat what they wrap.
        let is_kind = text.starts_with("client error (") || [TCP, DNS, TUNNEL_NOT_BEGUN].contains(&text.as_str());
        if !is_kind && !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
    }
    ServerText::of(&texts.join(": "))
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Transport")
    }
}
