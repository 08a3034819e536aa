//! The one HTTP stack, as AWS's credential providers want to ask it.

use std::error::Error as StdError;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
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
use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::http::transport::{BodyFailure, Failure, FailureKind, Limit, Transport};
use crate::log::{Log, target};
use crate::response::service_error::ServiceError;

/// More than any document with credentials holds.
const LIMIT: Limit = Limit { bytes: 1024 * 1024, longer_is_refused: true };
/// Where a provider sets none.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A transport for one load of credentials: it must not outlive the worker that drives it.
#[derive(Clone)]
pub(crate) struct Http {
    transport: Arc<Transport>,
    timeout: Duration,
    log: Log,
    /// The last exchange, if its answer was an error: AWS's providers do not always say.
    last_error: Arc<Mutex<Option<ErrorAnswer>>>,
    asked: Arc<AtomicBool>,
    answered: Arc<AtomicBool>,
}

/// An answer that was an error.
#[derive(Clone)]
pub(crate) struct ErrorAnswer {
    /// Which, and its HTTP status.
    pub(crate) exchange: String,
    pub(crate) status: u16,
    /// Code and message, as they stand in it.
    pub(crate) said: Option<String>,
}

impl Http {
    pub(crate) fn new(transport: Transport, log: &Log) -> Self {
        Self {
            transport: Arc::new(transport),
            timeout: TIMEOUT,
            log: log.clone(),
            last_error: Arc::default(),
            asked: Arc::default(),
            answered: Arc::default(),
        }
    }

    /// Whether anything was sent so far, or tried to be.
    pub(crate) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// Whether anybody has answered so far.
    pub(crate) fn was_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    pub(crate) fn last_error(&self) -> Option<ErrorAnswer> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn exchange(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let unfit = |error: Box<dyn StdError + Send + Sync>| ConnectorError::user(error);
        let method = request.method().parse().map_err(|error: http::method::InvalidMethod| unfit(error.into()))?;
        let mut headers = HeaderMap::with_capacity(request.headers().len());
        for (name, value) in request.headers() {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|error| unfit(error.into()))?;
            headers.append(name, HeaderValue::from_str(value).map_err(|error| unfit(error.into()))?);
        }
        let body = request.body().bytes().ok_or_else(|| unfit("a body that is not at hand".into()))?;
        let body = Bytes::copy_from_slice(body);
        let url = request.uri().to_owned();

        let mut answer = self.transport.fetch(method, &url, headers, body).await.map_err(connector_error)?;
        self.answered.store(true, Ordering::Relaxed);
        let status = StatusCode::try_from(answer.status()).map_err(|error| unfit(error.into()))?;
        let headers = answer.headers();
        let mut body = Vec::new();
        answer.read(LIMIT, &mut body).await.map_err(|failure| {
            let why = match failure {
                BodyFailure::Io(why) => why,
                BodyFailure::TooLarge => format!("it is longer than {} bytes", LIMIT.bytes),
                BodyFailure::NoMemory => "there is no memory for it".to_owned(),
            };
            ConnectorError::io(Unanswered(format!("the answer could not be read: {why}")).into())
        })?;
        let mut response = HttpResponse::new(status, SdkBody::from(body));
        for (name, value) in &headers {
            // A value that is no text is of no use to anybody here.
            if let Ok(value) = value.to_str() {
                let _ = response.headers_mut().try_append(name.as_str().to_owned(), value.to_owned());
            }
        }
        Ok(response)
    }
}

impl HttpConnector for Http {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let this = self.clone();
        this.asked.store(true, Ordering::Relaxed);
        let url = shown(request.uri());
        let asked = format!("{} {url}", request.method());
        HttpConnectorFuture::new(async move {
            let (log, last_error, limit) = (this.log.clone(), Arc::clone(&this.last_error), this.timeout);
            let answer = tokio::time::timeout(limit, this.exchange(request)).await.unwrap_or_else(|_| {
                Err(ConnectorError::timeout(Unanswered(format!("{url}: no answer in {} s", limit.as_secs())).into()))
            });
            let came = match &answer {
                Ok(answer) => format!("{asked}: HTTP {}", answer.status().as_u16()),
                Err(error) => format!("{asked}: {error}"),
            };
            *last_error.lock().unwrap_or_else(PoisonError::into_inner) = match &answer {
                Ok(answer) if !answer.status().is_success() => {
                    let read = ServiceError::read(&HeaderMap::new(), answer.body().bytes().unwrap_or_default());
                    let said = [read.code, read.message].into_iter().flatten().collect::<Vec<_>>().join(": ");
                    let status = answer.status().as_u16();
                    Some(ErrorAnswer { exchange: came.clone(), status, said: (!said.is_empty()).then_some(said) })
                }
                _ => None,
            };
            log.trace(target::CREDENTIALS, || came);
            answer
        })
    }
}

impl HttpClient for Http {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        let timeout = match (settings.connect_timeout(), settings.read_timeout()) {
            (Some(connect), Some(read)) => connect + read,
            (_, Some(read)) => read,
            (_, None) => TIMEOUT,
        };
        SharedHttpConnector::new(Self { timeout, ..self.clone() })
    }
}

/// A URL without what might be secret in it.
fn shown(url: &str) -> String {
    let Ok(mut url) = url::Url::parse(url) else { return String::new() };
    // They fail only for URLs that can have none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.into()
}

fn connector_error(failure: Failure) -> ConnectorError {
    let error = Unanswered(failure.message).into();
    match failure.kind {
        FailureKind::Connect { timeout: true } => ConnectorError::timeout(error),
        FailureKind::Protocol => ConnectorError::other(error, None),
        _ => ConnectorError::io(error),
    }
}

/// In the words of the transport, which name the address.
#[derive(Debug)]
struct Unanswered(String);

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl StdError for Unanswered {}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}
