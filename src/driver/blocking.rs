//! Drives a call to its end on the caller's own thread.

use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use aws_smithy_runtime_api::client::identity::Identity;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::yield_now;

use crate::call::{Call, Driver, NoTransport};
use crate::credentials::cache::CallbackLoad;
use crate::driver::caller::{run_callers_code, runs_log_callback};
use crate::driver::client_state::ClientState;
use crate::driver::descriptors::{self, LOOK_EVERY, Lease, Shortage, with_limit};
use crate::driver::fork_barrier::ForkBarrier;
use crate::driver::interrupt::{Interrupt, Interrupts};
use crate::driver::other_thread;
use crate::driver::permits::{self, CallKind, Permit};
use crate::driver::pool::{Closed, can_be_reused};
use crate::driver::shared_runtime::{CallersThread, Duty};
use crate::driver::task::{self, Loading, RunsCallbacks};
use crate::driver::worker::NoWorker;
use crate::error::Error;
use crate::http::transport::{Failure, FailureKind, Transport};
use crate::lock::lock;
use crate::log::Log;
use crate::outcome::Outcome;
use crate::platform::signals::SigpipeBlocked;
use crate::request::invocation::Invocation;
use crate::response::chunks::Chunks;

/// Invokes a function and blocks until the call ends. Every failure is an outcome.
pub(crate) fn invoke(client: &Arc<ClientState>, invocation: &Invocation, interrupt: Option<Interrupt<'_>>) -> Outcome {
    let started = Instant::now();
    if let Err(error) = refuse_inside_log_callback() {
        // Not logged: the log callback would call again.
        return Outcome::refused(&error);
    }
    // On the caller's own thread: it may be refused there.
    let call = Call::new(Arc::clone(&client.shared), invocation, started);
    let ended = call.and_then(|call| where_runtimes_run(interrupt, |interrupt| drive(client, call, interrupt)));
    ended.unwrap_or_else(|error| Outcome { duration: started.elapsed(), ..client.shared.refuse(invocation, &error) })
}

/// Runs `work`, which drives a runtime, on this thread, or on another one if this thread cannot: at its very end, and inside
/// a runtime of the application. Fails inside a log callback, and if no other thread could be started.
pub(crate) fn where_runtimes_run<T: Send>(
    interrupt: Option<Interrupt<'_>>,
    work: impl FnOnce(Option<Interrupt<'_>>) -> T + Send,
) -> Result<T, Error> {
    refuse_inside_log_callback()?;
    match Handle::try_current() {
        Err(error) if !error.is_thread_local_destroyed() => Ok(work(interrupt)),
        // tokio does not tell its threads that may block, as those of spawn_blocking, from those that may not. It panics if
        // one runtime is driven inside another one.
        _ => other_thread::run(work, interrupt),
    }
}

fn refuse_inside_log_callback() -> Result<(), Error> {
    match runs_log_callback() {
        true => Err(Error::argument("a log callback called this library, which it must not do")),
        false => Ok(()),
    }
}

fn drive(client: &Arc<ClientState>, call: Box<Call>, interrupt: Option<Interrupt<'_>>) -> Outcome {
    let mut interrupts = Interrupts::new(call.deadline().clone(), interrupt);
    let runtime = &client.shared_runtime;
    let under_way = runtime.count();
    // In a fork handler, nobody else would drive the call.
    let call = match runtime.is_for(&under_way) && !ForkBarrier::this_thread_forks() {
        true => match runtime.drive(call, &mut interrupts, |call, duty| among_others(call, Arc::clone(client), duty)) {
            Ok(outcome) => return outcome,
            Err(call) => call,
        },
        false => call,
    };
    runtime.close_expired();
    let _signals = SigpipeBlocked::new();
    let mut drive = Drive::new(Arc::clone(client), call);
    loop {
        if let Some(outcome) = drive.run(&mut interrupts) {
            return outcome;
        }
    }
}

/// Drives a call in the runtime that it shares with others.
async fn among_others(call: Box<Call>, client: Arc<ClientState>, duty: Duty) {
    let pool = Arc::clone(client.shared_runtime.pool());
    let (outcome, release) = task::drive(call, client, CallKind::Blocking, pool, Box::new(duty.callers_thread())).await;
    // Nobody may drive the runtime any more when the caller knows of the end.
    release.pass_on().await;
    duty.end(outcome);
}

impl RunsCallbacks for CallersThread {
    fn run(&self, load: CallbackLoad) -> Loading<'_> {
        let loaded = CallersThread::run(self, load);
        Box::pin(async move {
            match loaded.await {
                Ok(loaded) => loaded,
                // The thread has left, so the call must end, which it finds out itself.
                Err(_) => pending().await,
            }
        })
    }
}

/// A call and what it holds while this driver polls it.
pub(crate) struct Drive {
    call: Pin<Box<dyn Future<Output = Outcome> + Send>>,
    requests: Arc<DriverRequests>,
    resources: Resources,
    may_still_be_sending: bool,
    chunks: Option<Chunks>,
}

impl Drive {
    pub(crate) fn new(client: Arc<ClientState>, call: Box<Call>) -> Self {
        let may_still_be_sending = call.may_still_be_sending();
        let resources = Resources { client, log: call.log().clone(), lease: None, permit: None, waiting: None };
        let requests = Arc::<DriverRequests>::default();
        let chunks = call.chunks().cloned();
        Self { call: on_heap(call, Arc::clone(&requests)), requests, resources, may_still_be_sending, chunks }
    }

    /// Polls the call on this thread until it ends. `None`: it goes on, but has handed out chunks, or the limit of
    /// `interrupts` has come.
    pub(crate) fn run(&mut self, interrupts: &mut Interrupts<'_>) -> Option<Outcome> {
        // If the interrupt is already set, then nothing may be sent.
        interrupts.poll();
        loop {
            self.resources.wait(interrupts);
            let next = step(self.call.as_mut(), &self.requests, self.chunks.as_ref());
            let step = match self.resources.lease.as_mut().and_then(Lease::worker) {
                Some(worker) if interrupts.limit_is_over() => worker.run(without_waiting(next), None).flatten(),
                Some(worker) => worker.run(next, interrupts.until()),
                None => match pin!(next).poll(&mut Context::from_waker(Waker::noop())) {
                    Poll::Ready(step) => Some(step),
                    Poll::Pending => None,
                },
            };
            match step {
                Some(Step::Done(outcome)) => return Some(self.end(outcome)),
                Some(Step::HandedOut) => return None,
                Some(Step::Requested(request)) => {
                    if matches!(request, DriverRequest::OtherDescriptors(..)) {
                        self.resources.close_worker();
                        // The call still holds wakers of the closed runtime, which keep some of its descriptors open.
                        if let Poll::Ready(outcome) = self.call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                            return Some(self.end(outcome));
                        }
                    }
                    self.resources.serve(request, interrupts);
                }
                None if interrupts.limit_is_over() => return None,
                None => interrupts.poll(),
            }
        }
    }

    /// Lets go of what the call held.
    fn end(&mut self, outcome: Outcome) -> Outcome {
        self.resources.release(can_be_reused(outcome.status, self.may_still_be_sending));
        outcome
    }
}

/// Its own function, so that the large future is not in the stack frame of the one that polls it.
#[inline(never)]
fn on_heap(call: Box<Call>, requests: Arc<DriverRequests>) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
    Box::pin(async move { call.run(&*requests).await })
}

/// Why the call was not polled further.
enum Step {
    Done(Outcome),
    Requested(DriverRequest),
    HandedOut,
}

/// Polls the call until it ends, requests something from its driver or hands out chunks.
async fn step(
    mut call: Pin<&mut (dyn Future<Output = Outcome> + Send)>,
    requests: &DriverRequests,
    chunks: Option<&Chunks>,
) -> Step {
    std::future::poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(Step::Done(outcome)),
        Poll::Pending => match lock(&requests.0).take() {
            Some(request) => Poll::Ready(Step::Requested(request)),
            None if chunks.is_some_and(Chunks::are_waiting) => Poll::Ready(Step::HandedOut),
            None => Poll::Pending,
        },
    })
    .await
}

/// Polls `step` as often as it takes until it has what has arrived: one turn of the runtime reads from the sockets, another
/// one passes that on.
async fn without_waiting(step: impl Future<Output = Step>) -> Option<Step> {
    let mut step = pin!(step);
    for turn in 0..3 {
        if turn > 0 {
            yield_now().await;
        }
        if let Poll::Ready(step) = std::future::poll_fn(|context| Poll::Ready(step.as_mut().poll(context))).await {
            return Some(step);
        }
    }
    None
}

/// What the call cannot do inside its future, since it blocks the thread or runs the caller's code. Each has the sender
/// for its result.
enum DriverRequest {
    Begin(oneshot::Sender<Result<Connections, NoTransport>>),
    OtherDescriptors(Failure, oneshot::Sender<Result<Connections, NoTransport>>),
    Credentials(CallbackLoad, oneshot::Sender<Result<Identity, Error>>),
}

struct Connections {
    transport: Transport,
    /// They were opened for an earlier call, and have not been polled since.
    were_idle: bool,
}

/// Passes one request at a time from the call to the loop around it, on the same thread.
#[derive(Default)]
struct DriverRequests(Mutex<Option<DriverRequest>>);

impl DriverRequests {
    async fn make<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> DriverRequest) -> T {
        let (sender, result) = oneshot::channel();
        *lock(&self.0) = Some(request(sender));
        match result.await {
            Ok(result) => result,
            // The driver dropped the request because the call must end, which the call finds out itself.
            Err(_) => pending().await,
        }
    }
}

impl Driver for DriverRequests {
    async fn begin(&self) -> Result<Transport, NoTransport> {
        ready(self.make(DriverRequest::Begin).await?).await
    }

    async fn wait_for_descriptors(&self, failure: Failure) -> Result<Transport, NoTransport> {
        ready(self.make(|sender| DriverRequest::OtherDescriptors(failure, sender)).await?).await
    }

    async fn run_credentials_callback(&self, load: CallbackLoad) -> Result<Identity, Error> {
        self.make(|sender| DriverRequest::Credentials(load, sender)).await
    }
}

/// Returns the transport. Idle connections are not polled, so a pass of the runtime first lets them notice that the server
/// has closed them: hyper reads from a connection before it writes a request to it.
async fn ready(connections: Connections) -> Result<Transport, NoTransport> {
    if connections.were_idle {
        yield_now().await;
    }
    Ok(connections.transport)
}

/// What the call holds so far. The lease, and with it the worker, is dropped before the permit, so that its descriptors are
/// free when the next call begins.
struct Resources {
    client: Arc<ClientState>,
    log: Log,
    lease: Option<Lease>,
    permit: Option<Permit>,
    /// What the call waits for before it gets connections, and where they go then.
    waiting: Option<(Wait, ConnectionsSender)>,
}

type ConnectionsSender = oneshot::Sender<Result<Connections, NoTransport>>;

enum Wait {
    Permit(permits::Acquire),
    Descriptors(descriptors::Acquire),
}

impl Resources {
    /// Does what the call requests, or begins to wait for it.
    fn serve(&mut self, request: DriverRequest, interrupts: &mut Interrupts<'_>) {
        match request {
            DriverRequest::Begin(sender) => {
                let wait = match self.client.permit(CallKind::Blocking, &self.log) {
                    Ok(permit) => {
                        self.permit = Some(permit);
                        Wait::Descriptors(self.client.descriptors.acquire())
                    }
                    Err(acquire) => Wait::Permit(acquire),
                };
                self.waiting = Some((wait, sender));
            }
            DriverRequest::OtherDescriptors(failure, sender) => {
                if let Some(lease) = self.lease.take() {
                    self.connect(lease, Some(failure), sender);
                }
            }
            DriverRequest::Credentials(load, sender) => {
                // The call may have dropped the receiver.
                let _ = sender.send(run_callers_code(|| load.run()));
                interrupts.poll();
            }
        }
    }

    /// Waits for what the call needs before it gets connections, unless the call must end or the limit comes first.
    fn wait(&mut self, interrupts: &mut Interrupts<'_>) {
        while let Some((wait, sender)) = self.waiting.take() {
            match wait {
                Wait::Permit(mut acquire) => match interrupts.wait(Pin::new(&mut acquire), None) {
                    Some(permit) => {
                        self.permit = Some(permit);
                        self.waiting = Some((Wait::Descriptors(self.client.descriptors.acquire()), sender));
                    }
                    None => {
                        self.waiting = Some((Wait::Permit(acquire), sender));
                        return;
                    }
                },
                Wait::Descriptors(mut acquire) => match interrupts.wait(Pin::new(&mut acquire), Some(LOOK_EVERY)) {
                    Some(lease) => self.connect(lease, None, sender),
                    None => {
                        self.waiting = Some((Wait::Descriptors(acquire), sender));
                        return;
                    }
                },
            }
        }
    }

    fn close_worker(&mut self) {
        if let Some(lease) = &mut self.lease {
            lease.close();
        }
    }

    /// Ends what the call holds. Keeps the worker if later calls can use it.
    fn release(&mut self, keeps_worker: bool) {
        self.waiting = None;
        if let Some(lease) = self.lease.take()
            && keeps_worker
        {
            lease.keep();
        }
        self.permit = None;
    }

    /// Gives the call the connections of a worker. `failure` is set if an attempt found no descriptor: then it first waits
    /// until some have been closed.
    fn connect(&mut self, mut lease: Lease, mut failure: Option<Failure>, sender: ConnectionsSender) {
        let connections = loop {
            if let Some(failure) = failure.take()
                && self.client.descriptors.close_idle() == Closed::Nothing
            {
                lease = match lease.lacks() {
                    Shortage::LookAgain(lease) => lease,
                    Shortage::Wait(acquire) => {
                        self.waiting = Some((Wait::Descriptors(acquire), sender));
                        return;
                    }
                    Shortage::Hopeless => break Err(NoTransport::NoDescriptors(with_limit(failure))),
                };
            }
            match self.client.equip(&mut lease) {
                Ok(worker) => {
                    let were_idle = worker.begin_call();
                    let transport = worker.transport().clone();
                    self.lease = Some(lease);
                    break Ok(Connections { transport, were_idle });
                }
                Err(NoWorker::Failed(error)) => break Err(NoTransport::Failed(error)),
                Err(NoWorker::NoDescriptors(error)) => {
                    let message = format!("no file descriptor was left for a connection: {error}");
                    failure = Some(Failure { kind: FailureKind::NoDescriptors, message });
                }
            }
        };
        // The call may have dropped the receiver.
        let _ = sender.send(connections);
    }
}
