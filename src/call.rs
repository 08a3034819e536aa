//! The path that every call takes: credentials, signature, attempt, classification, and perhaps a retry.
//!
//! A call owns all that it needs, so it can move to another thread and outlive the function that made it. It may end at
//! any await, at its deadline or because it is cancelled: its progress stands in [`Call`], so its outcome still tells
//! the truth.

use std::future::pending;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use aws_smithy_runtime_api::client::identity::Identity;

use crate::config::config::RetryMode;
use crate::config::credentials;
use crate::config::settings::Settings;
use crate::credentials::cache::{self, CacheLookup, CallbackLoad, CredentialsCache};
use crate::credentials::source::Source;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::http::body::SentTracker;
use crate::http::signing;
use crate::http::transport::{BodyFailure, Failure, FailureKind, Response, Transport};
use crate::log::{Log, target};
use crate::outcome::Outcome;
use crate::request::fields::InvocationType;
use crate::request::http::{HttpRequest, Operation};
use crate::request::invocation::Invocation;
use crate::response::chunks::Chunks;
use crate::response::classification::{Classification, RetryHint};
use crate::response::response::{Body, Circumstances, Head};
use crate::response::streamed;
use crate::retry::clock::{self, Clock};
use crate::retry::policy;
use crate::retry::quota::RetryQuota;
use crate::status::{Execution, Status};

/// A payload of this size has been written before any server responds to it.
const SENT_BEFORE_A_RESPONSE: usize = 16 * 1024;

/// What the calls of a client share in one process.
pub(crate) struct Shared {
    pub(crate) settings: Arc<Settings>,
    pub(crate) source: Arc<Source>,
    retry_quota: RetryQuota,
    clock: Clock,
    pub(crate) credentials_cache: Arc<CredentialsCache>,
    /// How many calls there have been.
    calls: AtomicU64,
}

impl Shared {
    pub(crate) fn new(settings: Arc<Settings>, source: Arc<Source>) -> Self {
        let credentials_cache = Arc::new(CredentialsCache::new(&source));
        Self {
            settings,
            source,
            retry_quota: RetryQuota::default(),
            clock: Clock::default(),
            credentials_cache,
            calls: AtomicU64::new(0),
        }
    }

    /// Returns the log of the next call.
    fn log_of_call(&self, function: &str) -> Log {
        self.settings.log.for_call(function, self.calls.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Makes the outcome of a call that is refused before it begins.
    pub(crate) fn refuse(&self, invocation: &Invocation, error: &Error) -> Outcome {
        let function = &invocation.request.function_name;
        let log = self.log_of_call(function);
        log.error(target::CALL, || format!("refused: {:?}: {}", error.status(), error.message()));
        let refused = Outcome::refused(error);
        Outcome { error_message: refused.error_message.map(|message| naming(function, message)), ..refused }
    }
}

/// What a call needs from its driver.
pub(crate) trait Driver {
    /// Waits until the call may begin. Returns its connections.
    async fn begin(&self) -> Result<Transport, NoTransport>;

    /// Returns other connections after an attempt found no descriptor, once other calls have closed theirs.
    async fn wait_for_descriptors(&self, failure: Failure) -> Result<Transport, NoTransport>;

    /// Runs the caller's credentials callback where it does not block other calls.
    async fn run_credentials_callback(&self, load: CallbackLoad) -> Result<Identity, Error>;
}

/// Why there are no connections.
pub(crate) enum NoTransport {
    /// The process has no descriptor left, and no other call could free any.
    NoDescriptors(Failure),
    Failed(Error),
}

/// One call, from its first attempt to its outcome.
pub(crate) struct Call {
    shared: Arc<Shared>,
    function: String,
    log: Log,
    request: HttpRequest,
    mode: RetryMode,
    started: Instant,
    timeout: Duration,
    deadline: Deadline,
    phase: Phase,
    /// Where the chunks of a streamed response go.
    chunks: Option<Chunks>,
    /// The body of the attempt's response, as far as it has been read.
    body: Vec<u8>,
    attempts: u32,
    unknown_attempts: u32,
    /// The highest of all finished attempts.
    execution: Execution,
    clock_was_set: bool,
    /// The credentials of the last attempt.
    signed_with: Option<Identity>,
    /// The service reported the credentials of the last attempt as expired, so the next attempt needs new ones.
    needs_new_credentials: bool,
    new_credentials_were_requested: bool,
    /// The time of the last attempt's signature.
    signed_at: SystemTime,
    /// The last response of all attempts; the last attempt may have had none.
    last_response: Option<LastResponse>,
}

/// What an outcome keeps of the last response.
struct LastResponse {
    http_status: u16,
    retry_after: Option<Duration>,
    request_id: Option<String>,
}

/// What a call is doing.
enum Phase {
    /// It waits for a permit or a connection.
    Waiting,
    /// It waits for credentials.
    LoadingCredentials,
    /// An attempt is under way; `head` is set once the head of its response has arrived.
    Attempt { sent: SentTracker, head: Option<Arc<Head>> },
    /// It waits between two attempts; the outcome is the last attempt's.
    BackingOff(Box<Outcome>),
}

/// Formats the request id of a response for the log.
fn identified(request_id: Option<&str>) -> String {
    request_id.map_or_else(|| "no request id".to_owned(), |id| format!("request id {id}"))
}

/// Puts the function in front of a message, unless the message is about the function name itself.
pub(crate) fn naming(function: &str, message: String) -> String {
    match function.is_empty() || message.starts_with("function_name: ") {
        true => message,
        false => format!("{function}: {message}"),
    }
}

/// Concludes an attempt. AWS's response to a wrong signature repeats the request's headers. The session token must not
/// get into a message, neither in the form that the body has it nor in the form that is read from the body.
fn conclude(head: &Head, body: Body, identity: &Identity) -> Classification {
    if !head.is_error() {
        return head.conclude(body);
    }
    let mut classification = head.conclude(body.map(|bytes| credentials::redact(identity, bytes)));
    let outcome = &mut classification.outcome;
    for text in [&mut outcome.error_message, &mut outcome.error_type, &mut outcome.throttle_reason] {
        *text = text.take().map(|text| credentials::redact_text(identity, text));
    }
    classification
}

/// Lets the compiler check that a call can move to another thread and outlive the function that made it.
const fn owns_what_it_needs<T: Send + 'static>() {}
const _: () = owns_what_it_needs::<Call>();

impl Call {
    /// Makes a call. Fails if the request cannot be sent.
    pub(crate) fn new(shared: Arc<Shared>, invocation: &Invocation, started: Instant) -> Result<Box<Self>, Error> {
        shared.credentials_cache.refuse_inside_callback()?;
        Self::of(Operation::Invoke, shared, invocation, started)
    }

    /// Makes a call whose response is handed out in chunks. Fails if the request cannot be sent.
    pub(crate) fn streamed(shared: Arc<Shared>, invocation: &Invocation, chunks: Chunks) -> Result<Box<Self>, Error> {
        let mut call = Self::of(Operation::InvokeWithResponseStream, shared, invocation, Instant::now())?;
        call.chunks = Some(chunks);
        Ok(call)
    }

    /// Lets the call, and with it its deadline, begin now. Returns its outcome if it is refused.
    pub(crate) fn start(&mut self) -> Option<Outcome> {
        self.started = Instant::now();
        self.deadline = self.deadline.moved_to(self.started.checked_add(self.timeout));
        let refused = self.shared.credentials_cache.refuse_inside_callback().err()?;
        Some(self.finish(Outcome::refused(&refused)))
    }

    fn of(
        operation: Operation,
        shared: Arc<Shared>,
        invocation: &Invocation,
        started: Instant,
    ) -> Result<Box<Self>, Error> {
        let settings = &shared.settings;
        let request = HttpRequest::new(operation, invocation, settings)?;
        let waits = request.kind == InvocationType::RequestResponse;
        let timeout = invocation.timeout.unwrap_or_else(|| settings.timeout(waits));
        // It is passed on several times, and each would copy it.
        Ok(Box::new(Self {
            mode: invocation.retry.unwrap_or(settings.retry.value),
            timeout,
            deadline: Deadline::new(started.checked_add(timeout)),
            function: invocation.request.function_name.clone(),
            log: shared.log_of_call(&invocation.request.function_name),
            shared,
            request,
            started,
            phase: Phase::Waiting,
            chunks: None,
            body: Vec::new(),
            attempts: 0,
            unknown_attempts: 0,
            execution: Execution::None,
            clock_was_set: false,
            signed_with: None,
            needs_new_credentials: false,
            new_credentials_were_requested: false,
            signed_at: SystemTime::UNIX_EPOCH,
            last_response: None,
        }))
    }

    /// Returns the call's deadline, which can also cancel it.
    pub(crate) fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// Returns where the chunks of a streamed response go.
    pub(crate) fn chunks(&self) -> Option<&Chunks> {
        self.chunks.as_ref()
    }

    /// Returns the log whose events carry the call's function and number.
    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// Runs the call until it ends, whatever ends it: a response, a failure, its deadline or its cancellation.
    pub(crate) async fn run(mut self: Box<Self>, driver: &impl Driver) -> Outcome {
        let deadline = self.deadline.clone();
        let ended = deadline.bound(pin!(self.progress(driver))).await;
        ended.unwrap_or_else(|status| self.end(status))
    }

    /// Makes attempts until no further one follows.
    async fn progress(&mut self, driver: &impl Driver) -> Outcome {
        let mut transport = match driver.begin().await {
            Ok(transport) => transport,
            Err(none) => return self.end_without_transport(none),
        };
        loop {
            let classification = match self.attempt(&transport, driver).await {
                Ok(classification) => classification,
                Err(failure) => {
                    match driver.wait_for_descriptors(failure).await {
                        Ok(other) => transport = other,
                        Err(none) => return self.end_without_transport(none),
                    }
                    continue;
                }
            };
            let wait = self.wait_before_next(&classification);
            self.log_attempt(&classification.outcome, wait);
            self.count(classification.outcome.execution);
            let Some(wait) = wait else {
                return self.finish(classification.outcome);
            };
            let outcome = classification.outcome;
            if outcome.http_status != 0 {
                self.last_response = Some(LastResponse {
                    http_status: outcome.http_status,
                    retry_after: outcome.retry_after,
                    request_id: outcome.request_id.clone(),
                });
            }
            self.phase = Phase::BackingOff(Box::new(outcome));
            tokio::time::sleep(wait).await;
        }
    }

    /// Returns whether the request may still be in the middle of being sent when its response arrives, as if an upload
    /// is refused early.
    pub(crate) fn may_still_be_sending(&self) -> bool {
        self.request.payload.len() > SENT_BEFORE_A_RESPONSE
    }

    fn end_without_transport(&mut self, none: NoTransport) -> Outcome {
        match none {
            NoTransport::Failed(error) => self.finish(Outcome::refused(&error)),
            NoTransport::NoDescriptors(failure) => {
                if matches!(self.phase, Phase::LoadingCredentials) {
                    return self.finish(Outcome::refused(&Error::new(Status::Credentials, failure.message)));
                }
                self.attempts += 1;
                let classification = Classification::without_response(failure, false, &self.request);
                self.finish(classification.outcome)
            }
        }
    }

    /// Ends the call in its current phase: at its deadline ([`Status::Timeout`]) or for the caller
    /// ([`Status::Cancelled`]).
    fn end(&mut self, status: Status) -> Outcome {
        let why = match status {
            Status::Timeout => format!("the call's deadline of {} ms passed", self.timeout.as_millis()),
            _ => "the caller cancelled the call".to_owned(),
        };
        let host = &self.request.host;
        let outcome = match std::mem::replace(&mut self.phase, Phase::Waiting) {
            Phase::Waiting => Outcome::without_response(
                status,
                Execution::None,
                format!("{why} before its request was sent to {host}"),
            ),
            Phase::LoadingCredentials => {
                let message = format!("{why} while credentials were being loaded ({})", self.shared.source);
                Outcome::without_response(status, Execution::None, message)
            }
            Phase::BackingOff(last) => {
                let message = match &last.error_message {
                    Some(last) => format!("{why} while waiting for a retry after: {last}"),
                    None => why,
                };
                Outcome { status, error_message: Some(message), execution: Execution::None, ..*last }
            }
            Phase::Attempt { head: Some(head), .. } => {
                let why = format!("{why} while the response was being read");
                let body = Body::Broken { partial: std::mem::take(&mut self.body), status, why };
                match &self.signed_with {
                    Some(identity) => conclude(&head, body, identity).outcome,
                    None => head.conclude(body).outcome,
                }
            }
            Phase::Attempt { sent, head: None } if sent.may_have_left() => {
                let message = format!(
                    "{why} while waiting for the response of {host}; it cannot be known whether the function ran"
                );
                Outcome::without_response(status, Execution::Unknown, message)
            }
            Phase::Attempt { .. } => {
                Outcome::without_response(status, Execution::None, format!("{why} while connecting to {host}"))
            }
        };
        self.count(outcome.execution);
        self.finish(outcome)
    }

    /// Makes one attempt and classifies it. The error means that no descriptor was left for it.
    async fn attempt(&mut self, transport: &Transport, driver: &impl Driver) -> Result<Classification, Failure> {
        let identity = match self.credentials(transport, driver).await {
            Ok(identity) => identity,
            Err(error) if error.is_for_lack_of_descriptors() => {
                return Err(Failure { kind: FailureKind::NoDescriptors, message: error.message().to_owned() });
            }
            Err(error) => return Ok(self.without_credentials(&error)),
        };
        if std::mem::take(&mut self.needs_new_credentials)
            && self.signed_with.as_ref().is_some_and(|before| cache::are_same(before, &identity))
            && let Phase::BackingOff(last) = std::mem::replace(&mut self.phase, Phase::Waiting)
        {
            return Ok(Classification::end(*last));
        }
        self.signed_at = self.shared.clock.now();
        let headers = match signing::signed_headers(&self.request, &identity, self.signed_at) {
            Ok(headers) => headers,
            Err(error) => return Ok(Classification::refused(&error)),
        };
        self.attempts += 1;
        self.log.debug(target::CALL, || {
            format!("attempt {}: {} to {}", self.attempts, self.request.kind.as_str(), self.request.host)
        });
        self.signed_with = Some(identity.clone());
        let sent = SentTracker::default();
        self.phase = Phase::Attempt { sent: sent.clone(), head: None };
        let response =
            transport.send(&self.request.url, &self.request.host, headers, self.request.payload.clone(), &sent).await;
        match response {
            Ok(response) => Ok(self.read(response, sent, &identity).await),
            Err(failure) => self.without_response(failure, &sent),
        }
    }

    /// What an attempt came to that had no response. The error says that no descriptor was left for it.
    fn without_response(&mut self, failure: Failure, sent: &SentTracker) -> Result<Classification, Failure> {
        match (failure.kind, sent.may_have_left()) {
            (FailureKind::NoDescriptors, false) => {
                self.phase = Phase::Waiting;
                self.attempts -= 1;
                Err(failure)
            }
            (_, may_have_left) => Ok(Classification::without_response(failure, may_have_left, &self.request)),
        }
    }

    async fn credentials(&mut self, transport: &Transport, driver: &impl Driver) -> Result<Identity, Error> {
        if matches!(self.phase, Phase::Waiting) {
            self.phase = Phase::LoadingCredentials;
        }
        let Shared { settings, source, clock, credentials_cache, .. } = &*self.shared;
        let (now, deadline) = (clock.now(), self.deadline.at());
        match credentials_cache.current(settings, source, &self.log, transport, now, deadline).await? {
            CacheLookup::Found(identity) => Ok(identity),
            CacheLookup::RunCallback(load) => {
                let identity = driver.run_credentials_callback(load).await;
                if self.deadline.reached().is_some() {
                    // The callback took too long: nothing may be sent, and `run` ends the call in this phase.
                    pending::<()>().await;
                }
                identity
            }
        }
    }

    /// Classifies an attempt for which there are no credentials. If it follows an attempt whose credentials had
    /// expired, then the outcome is that attempt's, which says more.
    fn without_credentials(&mut self, error: &Error) -> Classification {
        let needed_others = std::mem::take(&mut self.needs_new_credentials);
        match std::mem::replace(&mut self.phase, Phase::Waiting) {
            Phase::BackingOff(last) if needed_others => {
                let first = last.error_message.as_deref().unwrap_or_default();
                let message = format!("{first}; and no new credentials were available: {}", error.message());
                Classification::end(Outcome { error_message: Some(message), ..*last })
            }
            _ => Classification::refused(error),
        }
    }

    async fn read(&mut self, mut response: Response, sent: SentTracker, identity: &Identity) -> Classification {
        let circumstances = Circumstances {
            resolved_here: self.request.resolved_here,
            over_tls: self.request.is_over_tls(),
            is_streamed: self.request.operation == Operation::InvokeWithResponseStream,
            received: self.shared.clock.now(),
        };
        let head = Arc::new(Head::classify(response.status(), response.headers(), circumstances));
        self.log.trace(target::CALL, || {
            format!(
                "the head of a response arrived: HTTP {}, {}",
                head.status,
                identified(head.request_id().as_deref())
            )
        });
        let Some(limit) = head.body_limit(self.shared.settings.max_response_bytes.value) else {
            return head.conclude(Body::Complete(Vec::new()));
        };
        self.phase = Phase::Attempt { sent, head: Some(Arc::clone(&head)) };
        if let Some(chunks) = &self.chunks
            && head.is_stream()
        {
            return streamed::read(&head, response, chunks).await;
        }
        let read = response.read(limit, &mut self.body).await;
        let bytes = std::mem::take(&mut self.body);
        let body = match read {
            Ok(()) => Body::Complete(bytes),
            Err(failure) => {
                let (status, why) = match failure {
                    BodyFailure::Io(why) => (Status::Io, why),
                    BodyFailure::TooLarge => {
                        (Status::TooLarge, format!("it is longer than {}{} bytes", head.limit_name(), limit.bytes))
                    }
                    BodyFailure::NoMemory => (Status::NoMemory, "there is no memory for it".to_owned()),
                };
                Body::Broken { partial: bytes, status, why }
            }
        };
        conclude(&head, body, identity)
    }

    /// Returns how long to wait before the next attempt; `None`: there is none.
    fn wait_before_next(&mut self, classification: &Classification) -> Option<Duration> {
        if matches!(classification.outcome.status, Status::Ok | Status::FunctionError) {
            self.shared.retry_quota.refill();
            return None;
        }
        let max_attempts = self.shared.settings.max_attempts.value;
        let may_try = self.mode != RetryMode::None && self.attempts < max_attempts;
        if classification.again == RetryHint::WithNewCredentials {
            // Not with credentials that never change.
            let worth_it = may_try
                && !std::mem::replace(&mut self.new_credentials_were_requested, true)
                && self.shared.source.can_change();
            return match &self.signed_with {
                Some(rejected) if worth_it => {
                    self.shared.credentials_cache.reject(rejected);
                    self.needs_new_credentials = true;
                    Some(Duration::ZERO)
                }
                _ => None,
            };
        }
        if let RetryHint::WithClockSet { date, tolerance } = classification.again {
            // Compares the time of the signature, not the current time: another call may have corrected the clock
            // since.
            let worth_it = may_try && !self.clock_was_set && clock::difference(self.signed_at, date) > tolerance;
            if worth_it {
                self.shared.clock.set(date);
                self.clock_was_set = true;
                return Some(Duration::ZERO);
            }
        }
        let retry = policy::decide(self.mode, self.attempts, max_attempts, classification, fastrand::f64())?;
        // If the wait does not end before the deadline, then the call ends at once with what is known.
        let in_time = match (self.deadline.at(), Instant::now().checked_add(retry.wait)) {
            (Some(deadline), Some(next)) => next < deadline,
            (deadline, _) => deadline.is_none(),
        };
        (in_time && self.shared.retry_quota.take(retry.tokens)).then_some(retry.wait)
    }

    fn log_attempt(&self, outcome: &Outcome, wait: Option<Duration>) {
        self.log.debug(target::CALL, || {
            let message = outcome.error_message.as_deref().map(|message| format!(": {message}")).unwrap_or_default();
            let next = wait.map(|wait| format!("; retry in {} ms", wait.as_millis())).unwrap_or_default();
            let (status, execution) = (outcome.status, outcome.execution);
            let (attempts, http, id) = (self.attempts, outcome.http_status, identified(outcome.request_id.as_deref()));
            format!("attempt {attempts}: {status:?}, execution {execution:?}, HTTP {http}, {id}{message}{next}")
        });
    }

    fn count(&mut self, execution: Execution) {
        self.execution = self.execution.max(execution);
        self.unknown_attempts += u32::from(execution == Execution::Unknown);
    }

    fn finish(&mut self, mut outcome: Outcome) -> Outcome {
        self.phase = Phase::Waiting;
        if let (0, Some(last)) = (outcome.http_status, self.last_response.take()) {
            (outcome.http_status, outcome.retry_after, outcome.request_id) =
                (last.http_status, last.retry_after, last.request_id);
        }
        if !matches!(outcome.status, Status::Ok | Status::FunctionError) {
            self.log.error(target::CALL, || {
                let message = outcome.error_message.as_deref().unwrap_or_default();
                let execution = self.execution.max(outcome.execution);
                let (host, status, id) =
                    (&self.request.host, outcome.status, identified(outcome.request_id.as_deref()));
                format!("the call to {host} failed: {status:?}, execution {execution:?}, {id}: {message}")
            });
        }
        // The errorMessage of a failed function stays as it is.
        if outcome.status != Status::FunctionError {
            outcome.error_message = outcome.error_message.map(|message| naming(&self.function, message));
        }
        Outcome {
            execution: self.execution.max(outcome.execution),
            attempts: self.attempts,
            unknown_attempts: self.unknown_attempts,
            duration: self.started.elapsed(),
            ..outcome
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct NoDriver;

    impl Driver for NoDriver {
        async fn begin(&self) -> Result<Transport, NoTransport> {
            pending().await
        }

        async fn wait_for_descriptors(&self, _: Failure) -> Result<Transport, NoTransport> {
            pending().await
        }

        async fn run_credentials_callback(&self, _: CallbackLoad) -> Result<Identity, Error> {
            pending().await
        }
    }

    /// The compiler says that a call owns what it needs, and may be moved to another thread while it runs.
    #[test]
    fn a_call_can_be_moved_to_another_thread() {
        fn is_sent(_: impl Send + 'static) {}
        let _ = |call: Box<Call>| is_sent(call.run(&NoDriver));
    }
}
