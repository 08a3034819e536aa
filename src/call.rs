//! The one path that every call takes: credentials, signature, attempt, classification, and perhaps another attempt.
//!
//! A call owns all that it needs, so it can move to another thread and outlive the function that made it. It may end at any
//! await, at its deadline or because it is cancelled: its progress stands in [`Call`], so its outcome still tells the truth.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use aws_smithy_runtime_api::client::identity::Identity;

use crate::config::config::RetryMode;
use crate::config::credentials;
use crate::config::settings::Settings;
use crate::credentials::cache::{self, CacheLookup, CallbackTurn, CredentialsCache};
use crate::credentials::source::Source;
use crate::deadline::Deadline;
use crate::error::Error;
use crate::http::body::SentTracker;
use crate::http::signing;
use crate::http::transport::{Answer, BodyFailure, Failure, FailureKind, Transport};
use crate::log::{Log, target};
use crate::outcome::Outcome;
use crate::request::fields::InvocationType;
use crate::request::http::HttpRequest;
use crate::request::invocation::Invocation;
use crate::response::classification::{Classification, RetryHint};
use crate::response::response::{Body, Circumstances, Head};
use crate::retry::clock::{self, Clock};
use crate::retry::policy;
use crate::retry::quota::RetryQuota;
use crate::status::{Execution, Status};

/// A payload of this size has left before any server answers it.
const SENT_BY_NOW: usize = 16 * 1024;

/// What the calls of a client share in one process.
pub(crate) struct Shared {
    pub(crate) settings: Arc<Settings>,
    pub(crate) source: Arc<Source>,
    retry_quota: RetryQuota,
    clock: Clock,
    credentials_cache: Arc<CredentialsCache>,
    /// How many calls there were.
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

    /// The log of the next call.
    fn log_of_call(&self, function: &str) -> Log {
        self.settings.log.for_call(function, self.calls.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// The outcome of a call that is refused before it begins.
    pub(crate) fn refuse(&self, invocation: &Invocation, error: &Error) -> Outcome {
        let function = &invocation.request.function_name;
        let log = self.log_of_call(function);
        log.error(target::CALL, || format!("refused: {:?}: {}", error.status(), error.message()));
        let refused = Outcome::refused(error);
        Outcome { error_message: refused.error_message.map(|message| naming(function, message)), ..refused }
    }
}

/// What a call asks of whoever drives it.
pub(crate) trait Driver {
    /// Waits until the call may begin, and gives it connections.
    async fn begin(&self) -> Result<Transport, NoTransport>;

    /// Gives other connections after an attempt found no descriptor, once other calls have let go of theirs.
    async fn wait_for_descriptors(&self, failure: Failure) -> Result<Transport, NoTransport>;

    /// Runs the caller's credentials callback where it stops no other call.
    async fn ask_caller(&self, turn: CallbackTurn) -> Result<Identity, Error>;
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
    /// The body of the attempt's response, as far as it has been read.
    body: Vec<u8>,
    attempts: u32,
    unknown_attempts: u32,
    /// The highest of the attempts that are over.
    execution: Execution,
    clock_was_set: bool,
    /// The keys of the last attempt.
    signed_with: Option<Identity>,
    /// The service took the keys of the last attempt for expired: the next one needs others.
    needs_other_keys: bool,
    asked_for_other_keys: bool,
    /// The time of the last attempt's signature.
    signed_at: SystemTime,
    /// What "the last answer" means over several attempts, of which the last may have had none.
    last_answer: Option<LastAnswer>,
}

/// Of the last attempt that got one.
struct LastAnswer {
    http_status: u16,
    retry_after: Option<Duration>,
    request_id: Option<String>,
}

/// Where a call stands.
enum Phase {
    /// For a connection.
    Waiting,
    /// For credentials.
    Keys,
    /// An attempt is under way; the head of its answer once that came.
    Attempt { witness: SentTracker, head: Option<Head> },
    /// Between two attempts; what the last one came to.
    BackingOff(Outcome),
}

/// The request id of a response, for the log.
fn identified(request_id: Option<&str>) -> String {
    request_id.map_or_else(|| "no request id".to_owned(), |id| format!("request id {id}"))
}

/// A message that begins with what was called, unless it is the name itself that is at fault.
fn naming(function: &str, message: String) -> String {
    match function.is_empty() || message.starts_with("function_name: ") {
        true => message,
        false => format!("{function}: {message}"),
    }
}

/// Concludes an attempt. AWS's response to a wrong signature repeats the headers that it saw: the session token does not get
/// into a message, neither as it stands in the body nor as it is read from there.
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

/// The compiler says that a call can move to another thread and outlive the function that made it.
const fn owns_what_it_needs<T: Send + 'static>() {}
const _: () = owns_what_it_needs::<Call>();

impl Call {
    /// Refuses what cannot be sent.
    pub(crate) fn new(shared: Arc<Shared>, invocation: &Invocation, started: Instant) -> Result<Self, Error> {
        let settings = &shared.settings;
        let request = HttpRequest::new(invocation, settings)?;
        let waits = request.kind == InvocationType::RequestResponse;
        let timeout = invocation.timeout.unwrap_or_else(|| settings.timeout(waits));
        Ok(Self {
            mode: invocation.retry.unwrap_or(settings.retry.value),
            timeout,
            deadline: Deadline::new(started.checked_add(timeout)),
            function: invocation.request.function_name.clone(),
            log: shared.log_of_call(&invocation.request.function_name),
            shared,
            request,
            started,
            phase: Phase::Waiting,
            body: Vec::new(),
            attempts: 0,
            unknown_attempts: 0,
            execution: Execution::None,
            clock_was_set: false,
            signed_with: None,
            needs_other_keys: false,
            asked_for_other_keys: false,
            signed_at: SystemTime::UNIX_EPOCH,
            last_answer: None,
        })
    }

    /// When it must end, and the way to cancel it.
    pub(crate) fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// Runs to the outcome, whatever ends the call: a response, a failure, its deadline or its cancellation.
    pub(crate) async fn run(mut self, driver: &impl Driver) -> Outcome {
        let deadline = self.deadline.clone();
        match deadline.bound(self.progress(driver)).await {
            Ok(outcome) => outcome,
            Err(status) => self.end(status),
        }
    }

    /// Makes attempts until one of them is the last.
    async fn progress(&mut self, driver: &impl Driver) -> Outcome {
        let mut transport = match driver.begin().await {
            Ok(transport) => transport,
            Err(none) => return self.end_without_transport(none),
        };
        loop {
            let classification = match self.attempt(&transport, driver).await {
                Ok(classification) => classification,
                Err(failure) => {
                    self.phase = Phase::Waiting;
                    self.attempts -= 1;
                    match driver.wait_for_descriptors(failure).await {
                        Ok(other) => transport = other,
                        Err(none) => return self.end_without_transport(none),
                    }
                    continue;
                }
            };
            let wait = self.wait_before_next(&classification);
            self.tell(&classification.outcome, wait);
            self.count(classification.outcome.execution);
            let Some(wait) = wait else {
                return self.finish(classification.outcome);
            };
            let outcome = classification.outcome;
            if outcome.http_status != 0 {
                self.last_answer = Some(LastAnswer {
                    http_status: outcome.http_status,
                    retry_after: outcome.retry_after,
                    request_id: outcome.request_id.clone(),
                });
            }
            self.phase = Phase::BackingOff(outcome);
            tokio::time::sleep(wait).await;
        }
    }

    /// Whether the request may still be on its way after its answer has come, as that of a refused upload is.
    pub(crate) fn may_still_be_sending(&self) -> bool {
        self.request.payload.len() > SENT_BY_NOW
    }

    fn end_without_transport(&mut self, none: NoTransport) -> Outcome {
        match none {
            NoTransport::Failed(error) => self.finish(Outcome::refused(&error)),
            NoTransport::NoDescriptors(failure) => {
                self.attempts += 1;
                let classification = Classification::without_answer(failure, false, &self.request);
                self.finish(classification.outcome)
            }
        }
    }

    /// Ends the call where it stands: at its deadline ([`Status::Timeout`]) or for the caller ([`Status::Cancelled`]).
    fn end(&mut self, status: Status) -> Outcome {
        let why = match status {
            Status::Timeout => format!("the call's deadline of {} ms passed", self.timeout.as_millis()),
            _ => "the caller ended the call".to_owned(),
        };
        let host = &self.request.host;
        let outcome = match std::mem::replace(&mut self.phase, Phase::Waiting) {
            Phase::Waiting => {
                Outcome::without_answer(status, Execution::None, format!("{why} before its request was sent to {host}"))
            }
            Phase::Keys => {
                let message = format!("{why} while credentials were being loaded ({})", self.shared.source);
                Outcome::without_answer(status, Execution::None, message)
            }
            Phase::BackingOff(last) => {
                let message = match &last.error_message {
                    Some(last) => format!("{why} while waiting to try again after: {last}"),
                    None => why,
                };
                Outcome { status, error_message: Some(message), execution: Execution::None, ..last }
            }
            Phase::Attempt { head: Some(head), .. } => {
                let why = format!("{why} while the response was being read");
                let body = Body::Broken { partial: std::mem::take(&mut self.body), status, why };
                match &self.signed_with {
                    Some(identity) => conclude(&head, body, identity).outcome,
                    None => head.conclude(body).outcome,
                }
            }
            Phase::Attempt { witness, head: None } if witness.may_have_left() => {
                let message =
                    format!("{why} while waiting for the answer of {host}; nobody knows whether the function ran");
                Outcome::without_answer(status, Execution::Unknown, message)
            }
            Phase::Attempt { .. } => {
                Outcome::without_answer(status, Execution::None, format!("{why} while connecting to {host}"))
            }
        };
        self.count(outcome.execution);
        self.finish(outcome)
    }

    /// One attempt, to its classification. The error says that no descriptor was left for it.
    async fn attempt(&mut self, transport: &Transport, driver: &impl Driver) -> Result<Classification, Failure> {
        let identity = match self.credentials(transport, driver).await {
            Ok(identity) => identity,
            Err(error) => return Ok(self.without_keys(&error)),
        };
        if std::mem::take(&mut self.needs_other_keys)
            && self.signed_with.as_ref().is_some_and(|before| cache::are_same(before, &identity))
            && let Phase::BackingOff(last) = std::mem::replace(&mut self.phase, Phase::Waiting)
        {
            return Ok(Classification::end(last));
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
        let witness = SentTracker::default();
        self.phase = Phase::Attempt { witness: witness.clone(), head: None };
        let sent = transport
            .send(&self.request.url, &self.request.host, headers, self.request.payload.clone(), witness.clone())
            .await;
        Ok(match sent {
            Ok(answer) => self.read(answer, witness, &identity).await,
            Err(failure) => match (failure.kind, witness.may_have_left()) {
                (FailureKind::NoDescriptors, false) => return Err(failure),
                (_, may_have_left) => Classification::without_answer(failure, may_have_left, &self.request),
            },
        })
    }

    async fn credentials(&mut self, transport: &Transport, driver: &impl Driver) -> Result<Identity, Error> {
        if matches!(self.phase, Phase::Waiting) {
            self.phase = Phase::Keys;
        }
        let Shared { settings, source, clock, credentials_cache, .. } = &*self.shared;
        let (now, deadline) = (clock.now(), self.deadline.at());
        match credentials_cache.current(settings, source, &self.log, transport, now, deadline).await? {
            CacheLookup::Found(identity) => Ok(identity),
            CacheLookup::AskCaller(turn) => {
                let identity = driver.ask_caller(turn).await;
                if self.deadline.reached().is_some() {
                    // The callback took too long: nothing is sent, and the call ends where it stands.
                    pending::<()>().await;
                }
                identity
            }
        }
    }

    /// There are no keys. After an attempt whose keys had expired, that attempt's outcome says more.
    fn without_keys(&mut self, error: &Error) -> Classification {
        let needed_others = std::mem::take(&mut self.needs_other_keys);
        match std::mem::replace(&mut self.phase, Phase::Waiting) {
            Phase::BackingOff(last) if needed_others => {
                let said = last.error_message.as_deref().unwrap_or_default();
                let message = format!("{said}; and new credentials were not to be had: {}", error.message());
                Classification::end(Outcome { error_message: Some(message), ..last })
            }
            _ => Classification::refused(error),
        }
    }

    async fn read(&mut self, mut answer: Answer, witness: SentTracker, identity: &Identity) -> Classification {
        let circumstances = Circumstances {
            resolved_here: self.request.resolved_here,
            over_tls: self.request.is_over_tls(),
            received: self.shared.clock.now(),
        };
        let head = Head::classify(answer.status(), answer.headers(), circumstances);
        self.log.trace(target::CALL, || {
            format!("the head of a response came: HTTP {}, {}", head.status, identified(head.request_id().as_deref()))
        });
        let Some(limit) = head.body_limit(self.shared.settings.max_response_bytes.value) else {
            return head.conclude(Body::Complete(Vec::new()));
        };
        self.phase = Phase::Attempt { witness, head: Some(head.clone()) };
        let read = answer.read(limit, &mut self.body).await;
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

    /// How long to wait for the next attempt; `None`: there is none.
    fn wait_before_next(&mut self, classification: &Classification) -> Option<Duration> {
        if matches!(classification.outcome.status, Status::Ok | Status::FunctionError) {
            self.shared.retry_quota.refill();
            return None;
        }
        let max_attempts = self.shared.settings.max_attempts.value;
        let may_try = self.mode != RetryMode::None && self.attempts < max_attempts;
        if classification.again == RetryHint::WithNewCredentials {
            // Keys that never change will not do it.
            let worth_it =
                may_try && !std::mem::replace(&mut self.asked_for_other_keys, true) && self.shared.source.can_change();
            return match &self.signed_with {
                Some(rejected) if worth_it => {
                    self.shared.credentials_cache.reject(rejected);
                    self.needs_other_keys = true;
                    Some(Duration::ZERO)
                }
                _ => None,
            };
        }
        if let RetryHint::WithClockSet { date, tolerance } = classification.again {
            // Not by what the clock says now: another call may have set it right since this one was signed.
            let worth_it = may_try && !self.clock_was_set && clock::difference(self.signed_at, date) > tolerance;
            if worth_it {
                self.shared.clock.set(date);
                self.clock_was_set = true;
                return Some(Duration::ZERO);
            }
        }
        let retry = policy::decide(self.mode, self.attempts, max_attempts, classification, fastrand::f64())?;
        // A wait that does not end before the deadline ends the call at once, with what is known.
        let in_time = match (self.deadline.at(), Instant::now().checked_add(retry.wait)) {
            (Some(deadline), Some(next)) => next < deadline,
            (deadline, _) => deadline.is_none(),
        };
        (in_time && self.shared.retry_quota.take(retry.tokens)).then_some(retry.wait)
    }

    fn tell(&self, outcome: &Outcome, wait: Option<Duration>) {
        self.log.debug(target::CALL, || {
            let said = outcome.error_message.as_deref().map(|said| format!(": {said}")).unwrap_or_default();
            let next = wait.map(|wait| format!("; again in {} ms", wait.as_millis())).unwrap_or_default();
            let (status, execution) = (outcome.status, outcome.execution);
            let (attempts, http, id) = (self.attempts, outcome.http_status, identified(outcome.request_id.as_deref()));
            format!("attempt {attempts}: {status:?}, execution {execution:?}, HTTP {http}, {id}{said}{next}")
        });
    }

    fn count(&mut self, execution: Execution) {
        self.execution = self.execution.max(execution);
        self.unknown_attempts += u32::from(execution == Execution::Unknown);
    }

    fn finish(&mut self, mut outcome: Outcome) -> Outcome {
        self.phase = Phase::Waiting;
        if let (0, Some(last)) = (outcome.http_status, self.last_answer.take()) {
            (outcome.http_status, outcome.retry_after, outcome.request_id) =
                (last.http_status, last.retry_after, last.request_id);
        }
        if !matches!(outcome.status, Status::Ok | Status::FunctionError) {
            self.log.error(target::CALL, || {
                let said = outcome.error_message.as_deref().unwrap_or_default();
                let execution = self.execution.max(outcome.execution);
                let (host, status, id) =
                    (&self.request.host, outcome.status, identified(outcome.request_id.as_deref()));
                format!("the call to {host} failed: {status:?}, execution {execution:?}, {id}: {said}")
            });
        }
        // What a function says of its own failure stays its own.
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
