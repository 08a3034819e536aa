//! The one HTTP stack as credential providers use it, ours and those of AWS's crates; and what a message may say of their
//! exchanges. AWS's errors show requests and responses with the secrets in them, so none of their text is ever used.

use std::error::Error as StdError;
use std::fmt;
use std::panic::resume_unwind;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http::Method;
use http::header::{HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue};
use tokio::task::JoinSet;
use zeroize::{Zeroize, Zeroizing};

use crate::config::credentials::Secrets;
use crate::config::shown_url::shown;
use crate::http::secret_value::secret_value;
use crate::http::transport::{BodyFailure, Failure, FailureKind, Transport};
use crate::large_future::on_heap;
use crate::lock::lock;
use crate::log::{Log, target};
use crate::response::json_fields;
use crate::response::service_error::ServiceError;

/// More than any document with credentials holds.
const MAX_BYTES: usize = 128 * 1024;
/// Of an exchange, where a provider sets none.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Of an exchange that fails for a reason that may pass.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);
const TOO_MANY_REQUESTS: u16 = 429;

/// The headers of a request that hold no secret; any other may.
const HARMLESS: &[&str] = &[
    "accept",
    "accept-encoding",
    "amz-sdk-invocation-id",
    "amz-sdk-request",
    "content-length",
    "content-type",
    "host",
    "user-agent",
    "x-amz-content-sha256",
    "x-amz-date",
    "x-amz-target",
    "x-amz-user-agent",
    "x-amzn-query-mode",
    "x-aws-ec2-metadata-token-ttl-seconds",
];
/// The secrets that a JSON document may hold, of a request or of a response.
const SECRET_FIELDS: [&str; 12] = [
    "SecretAccessKey",
    "secretAccessKey",
    "Token",
    "token",
    "SessionToken",
    "sessionToken",
    "accessToken",
    "refreshToken",
    "refresh_token",
    "clientSecret",
    "idToken",
    "codeVerifier",
];

/// A transport for one load of credentials. It must not outlive the worker that drives it.
#[derive(Clone)]
pub(crate) struct Http {
    transport: Arc<Transport>,
    timeout: Duration,
    hides_paths: bool,
    log: Log,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    last: Option<Exchange>,
    had_a_response: bool,
    lacked_descriptors: bool,
    /// What was sent and received that a message must not repeat.
    secrets: Secrets,
    received: Received,
}

/// The bodies of all responses as they stand in the memory of their connections. Wiped when they are dropped, except for
/// those of connections that are not closed by then.
#[derive(Default)]
pub(crate) struct Received(Vec<Bytes>);

impl Drop for Received {
    fn drop(&mut self) {
        for piece in std::mem::take(&mut self.0) {
            if let Ok(mut piece) = piece.try_into_mut() {
                piece.zeroize();
            }
        }
    }
}

/// What came of the last exchange. The first field says which it was.
enum Exchange {
    /// Nothing yet.
    Pending(String, Duration),
    Failed(String, String),
    Refused(String, u16, Option<String>),
    Answered(String),
}

/// A response, read to its end.
pub(crate) struct Response {
    pub(crate) status: u16,
    headers: HeaderMap,
    pub(crate) body: Zeroizing<Vec<u8>>,
    /// Which exchange it ended, and its status; for messages.
    pub(crate) exchange: String,
}

impl Http {
    pub(crate) fn new(transport: Transport, log: &Log) -> Self {
        Self {
            transport: Arc::new(transport),
            timeout: TIMEOUT,
            hides_paths: false,
            log: log.clone(),
            state: Arc::default(),
        }
    }

    /// The same, for URLs whose path is a secret.
    pub(crate) fn hiding_paths(&self) -> Self {
        Self { hides_paths: true, ..self.clone() }
    }

    pub(crate) fn with_timeout(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }

    /// Keeps a secret out of what a server's text adds to messages.
    pub(crate) fn conceal(&self, secret: &str) {
        self.state().secrets.add(secret);
    }

    /// Takes all bodies, to be kept until the connections are closed.
    pub(crate) fn take_received(&self) -> Received {
        std::mem::take(&mut self.state().received)
    }

    /// Whether anything was sent so far, or tried to be.
    pub(crate) fn was_asked(&self) -> bool {
        self.state().last.is_some()
    }

    /// Whether any server has answered so far.
    pub(crate) fn had_a_response(&self) -> bool {
        self.state().had_a_response
    }

    /// Whether an exchange failed because the process had no descriptor left.
    pub(crate) fn lacked_descriptors(&self) -> bool {
        self.state().lacked_descriptors
    }

    /// The HTTP status with which the last exchange was refused.
    pub(crate) fn refused_with(&self) -> Option<u16> {
        match self.state().last {
            Some(Exchange::Refused(_, status, _)) => Some(status),
            _ => None,
        }
    }

    /// Describes the last exchange, for a provider that returned no credentials.
    pub(crate) fn failure(&self) -> String {
        match &self.state().last {
            None => "the request could not be made".to_owned(),
            Some(Exchange::Pending(what, timeout)) => format!("no response in {} s ({what})", timeout.as_secs()),
            Some(Exchange::Failed(what, why)) => format!("{why} ({what})"),
            Some(Exchange::Refused(what, status, Some(said))) => format!("{said} ({what}: HTTP {status})"),
            Some(Exchange::Refused(what, status, None)) => format!("the request was refused ({what}: HTTP {status})"),
            Some(Exchange::Answered(what)) => format!("the response does not have the expected form ({what})"),
        }
    }

    /// Describes a response without credentials: code and message of its error, redacted.
    pub(crate) fn refusal(&self, response: &Response) -> String {
        match self.said(&response.headers, &response.body) {
            Some(said) => format!("{said} ({})", response.exchange),
            None => format!("the request was refused ({})", response.exchange),
        }
    }

    /// Sends a request without a body, and again while it fails for a reason that may pass.
    pub(crate) async fn fetch(&self, method: Method, url: &str, headers: &HeaderMap) -> Result<Response, String> {
        let mut attempt = 1;
        loop {
            let answer = self.fetch_once(method.clone(), url, headers.clone()).await;
            let may_pass = match &answer {
                Ok(response) => response.status >= 500 || response.status == TOO_MANY_REQUESTS,
                Err(_) => !self.lacked_descriptors(),
            };
            if !may_pass || attempt == ATTEMPTS {
                return answer;
            }
            tokio::time::sleep(PAUSE * attempt).await;
            attempt += 1;
        }
    }

    async fn fetch_once(&self, method: Method, url: &str, headers: HeaderMap) -> Result<Response, String> {
        let what = format!("{method} {}", self.shown(url));
        let answer = self.exchange(&what, method, url, headers, Bytes::new()).await;
        match answer {
            Ok((status, headers, body)) => {
                Ok(Response { status, headers, body, exchange: format!("{what}: HTTP {status}") })
            }
            Err(failure) => Err(format!("{} ({what})", failure.message)),
        }
    }

    /// One exchange inside its timeout: logged, and kept for messages.
    async fn exchange(
        &self,
        what: &str,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<(u16, HeaderMap, Zeroizing<Vec<u8>>), Failure> {
        self.note_request(what, url, &headers, &body);
        let answer = tokio::time::timeout(self.timeout, self.exchange_for_ever(method, url, headers, body)).await;
        let answer = answer.unwrap_or_else(|_| {
            let message = format!("no response in {} s", self.timeout.as_secs());
            Err(Failure { kind: FailureKind::Connect { timeout: true }, message })
        });
        let last = match &answer {
            Ok((200..=299, ..)) => Exchange::Answered(what.to_owned()),
            Ok((status, headers, body)) => Exchange::Refused(what.to_owned(), *status, self.said(headers, body)),
            Err(failure) => Exchange::Failed(what.to_owned(), failure.message.clone()),
        };
        let mut state = self.state();
        state.had_a_response |= answer.is_ok();
        state.lacked_descriptors |= matches!(answer, Err(Failure { kind: FailureKind::NoDescriptors, .. }));
        state.last = Some(last);
        drop(state);
        self.log.trace(target::CREDENTIALS, || match &answer {
            Ok((status, ..)) => format!("{what}: HTTP {status}"),
            Err(failure) => format!("{what}: {}", failure.message),
        });
        answer
    }

    async fn exchange_for_ever(
        &self,
        method: Method,
        url: &str,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<(u16, HeaderMap, Zeroizing<Vec<u8>>), Failure> {
        let mut answer = self.transport.fetch(method, url, headers, body).await?;
        let (status, headers) = (answer.status(), answer.headers());
        let mut pieces = Vec::new();
        let read = answer.pieces(MAX_BYTES, &mut pieces).await;
        let body = Zeroizing::new(pieces.concat());
        self.state().received.0.append(&mut pieces);
        match read {
            Ok(()) => Ok((status, headers, body)),
            Err(failure) => {
                let why = match failure {
                    BodyFailure::Io(why) => why,
                    BodyFailure::TooLarge => format!("it is longer than {MAX_BYTES} bytes"),
                    BodyFailure::NoMemory => "there is no memory for it".to_owned(),
                };
                Err(Failure { kind: FailureKind::Io, message: format!("the response could not be read: {why}") })
            }
        }
    }

    fn note_request(&self, what: &str, url: &str, headers: &HeaderMap, body: &[u8]) {
        let mut state = self.state();
        state.last = Some(Exchange::Pending(what.to_owned(), self.timeout));
        for (name, value) in headers {
            if !HARMLESS.contains(&name.as_str()) {
                state.secrets.add_header(&String::from_utf8_lossy(value.as_bytes()));
            }
        }
        for secret in json_fields::texts(body, SECRET_FIELDS).into_iter().flatten().flatten().map(Zeroizing::new) {
            state.secrets.add(&secret);
        }
        if self.hides_paths {
            state.secrets.add_path(url);
        }
    }

    /// Code and message of an error document, redacted; `None` for what is not a whole one. Any other text may be a cut
    /// document with credentials.
    fn said(&self, headers: &HeaderMap, body: &[u8]) -> Option<String> {
        let fields = json_fields::texts(body, SECRET_FIELDS);
        let is_json = fields.is_some();
        for secret in fields.into_iter().flatten().flatten().map(Zeroizing::new) {
            self.conceal(&secret);
        }
        let mut error = ServiceError::default();
        if is_json || body.trim_ascii_start().starts_with(b"<") {
            error = ServiceError::read(&HeaderMap::new(), body);
        }
        // XML without a code is a page for people, or a document with credentials.
        if !is_json && error.code.is_none() {
            error.message = None;
        }
        let code = ServiceError::read(headers, b"").code.or(error.code);
        let said = [code, error.message].into_iter().flatten().collect::<Vec<_>>().join(": ");
        (!said.is_empty()).then(|| self.state().secrets.redacted(said))
    }

    /// A URL without what may be secret in it.
    fn shown(&self, url: &str) -> String {
        match (self.hides_paths, url::Url::parse(url)) {
            (true, Ok(url)) => format!("{}/(redacted)", url.origin().ascii_serialization()),
            _ => shown(url),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// A header value that is wiped from memory.
pub(crate) fn secret_header(text: &str) -> Result<HeaderValue, InvalidHeaderValue> {
    secret_value(Zeroizing::new(text.as_bytes().to_vec()))
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        HttpConnectorFuture::new(async move {
            // As a task of its own it is polled beside AWS's client, not on top of it: only one of the two is on the stack
            // at a time. Dropping the set aborts it.
            let mut exchange = JoinSet::new();
            exchange.spawn(on_heap(|| async move { this.exchange_for_sdk(request).await }));
            match exchange.join_next().await {
                Some(Ok(response)) => response,
                Some(Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
                _ => Err(ConnectorError::io("the exchange was aborted".into())),
            }
        })
    }
}

impl Http {
    async fn exchange_for_sdk(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let unfit = |error: Box<dyn StdError + Send + Sync>| ConnectorError::user(error);
        let method: Method =
            request.method().parse().map_err(|error: http::method::InvalidMethod| unfit(error.into()))?;
        let mut headers = HeaderMap::with_capacity(request.headers().len());
        for (name, value) in request.headers() {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| unfit(error.into()))?;
            headers.append(name, secret_header(value).map_err(|error| unfit(error.into()))?);
        }
        let body = request.body().bytes().ok_or_else(|| unfit("a body that is not at hand".into()))?;
        let body = Bytes::from_owner(Zeroizing::new(body.to_vec()));
        let url = request.uri().to_owned();
        let what = format!("{method} {}", self.shown(&url));

        let (status, headers, body) =
            self.exchange(&what, method, &url, headers, body).await.map_err(connector_error)?;
        let status = StatusCode::try_from(status).map_err(|error| unfit(error.into()))?;
        let mut response = HttpResponse::new(status, SdkBody::from(Bytes::from_owner(body)));
        for (name, value) in &headers {
            // A value that is not text is of no use to anybody here.
            if let Ok(value) = value.to_str() {
                let _ = response.headers_mut().try_append(name.as_str().to_owned(), value.to_owned());
            }
        }
        Ok(response)
    }
}

impl HttpClient for Http {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        let timeout = match (settings.connect_timeout(), settings.read_timeout()) {
            (Some(connect), Some(read)) => connect + read,
            (_, Some(read)) => read,
            (_, None) => TIMEOUT,
        };
        SharedHttpConnector::new(self.with_timeout(timeout))
    }
}

/// The kind decides whether AWS's crates try again; their text of it is not used.
fn connector_error(failure: Failure) -> ConnectorError {
    let error = Unanswered.into();
    match failure.kind {
        FailureKind::Connect { timeout: true } => ConnectorError::timeout(error),
        FailureKind::Protocol => ConnectorError::other(error, None),
        // Not again at once: the call first waits for a descriptor.
        FailureKind::NoDescriptors => ConnectorError::user(error),
        _ => ConnectorError::io(error),
    }
}

#[derive(Debug)]
struct Unanswered;

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no response")
    }
}

impl StdError for Unanswered {}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}
