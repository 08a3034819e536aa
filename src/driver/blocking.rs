//! A call driven to its end on the caller's own thread.

use std::cell::Cell;
use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use aws_smithy_runtime_api::client::identity::Identity;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::yield_now;

use crate::call::{Call, Driver, NoTransport};
use crate::credentials::cache::CallbackTurn;
use crate::driver::caller::run_callers_code;
use crate::driver::client_state::ClientState;
use crate::driver::interrupt::{Interrupt, Interrupts};
use crate::driver::permits::Permit;
use crate::driver::thread_exit;
use crate::driver::worker::{NoWorker, Worker};
use crate::error::Error;
use crate::http::transport::{Failure, FailureKind, Transport};
use crate::outcome::Outcome;
use crate::platform::signals::SigpipeBlocked;
use crate::request::invocation::Invocation;
use crate::status::Status;

/// Invokes and waits. Every failure is an outcome.
pub(crate) fn invoke(client: &ClientState, invocation: &Invocation, interrupt: Option<Interrupt<'_>>) -> Outcome {
    match Handle::try_current() {
        Ok(_) => {
            let error = Error::argument(
                "invoke blocks, and was called from inside an asynchronous runtime: call it through spawn_blocking",
            );
            client.shared.refuse(invocation, &error)
        }
        Err(error) if error.is_thread_local_destroyed() => {
            thread_exit::run(|interrupt| drive(client, invocation, Some(interrupt)), interrupt)
        }
        Err(_) => drive(client, invocation, interrupt),
    }
}

fn drive(client: &ClientState, invocation: &Invocation, interrupt: Option<Interrupt<'_>>) -> Outcome {
    let started = Instant::now();
    let call = match Call::new(Arc::clone(&client.shared), invocation, started) {
        Ok(call) => call,
        Err(error) => {
            return Outcome { duration: started.elapsed(), ..client.shared.refuse(invocation, &error) };
        }
    };
    let _signals = SigpipeBlocked::new();
    let mut interrupts = Interrupts::new(call.deadline().clone(), interrupt);
    // A caller who has already said stop wants nothing sent.
    interrupts.ask();
    let may_still_be_sending = call.may_still_be_sending();
    let wishes = Wishes::default();
    let mut call = pin!(call.run(&wishes));
    let mut means = Means { client, permit: None, released: 0, worker: None };
    let outcome = loop {
        let step = match &mut means.worker {
            Some(worker) => worker.run(step(call.as_mut(), &wishes), interrupts.until()),
            None => match pin!(step(call.as_mut(), &wishes)).poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(step) => Some(step),
                Poll::Pending => None,
            },
        };
        match step {
            Some(Step::Done(outcome)) => break outcome,
            Some(Step::Wish(wish)) => means.fulfil(wish, &mut interrupts),
            None => interrupts.ask(),
        }
    };
    if let Some(worker) = means.worker.take()
        && is_fit_for_more(outcome.status, may_still_be_sending)
    {
        client.keep(worker);
    }
    outcome
}

/// After an error of the connection, or with a request half sent or a response half read, a worker is of no further use.
fn is_fit_for_more(status: Status, may_still_be_sending: bool) -> bool {
    match status {
        Status::Ok | Status::FunctionError => true,
        Status::Service | Status::Throttled => !may_still_be_sending,
        _ => false,
    }
}

/// How far a call got.
enum Step {
    Done(Outcome),
    Wish(Wish),
}

/// Polls the call until it is done or wishes something of its driver.
async fn step(mut call: Pin<&mut impl Future<Output = Outcome>>, wishes: &Wishes) -> Step {
    std::future::poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Ready(outcome) => Poll::Ready(Step::Done(outcome)),
        Poll::Pending => match wishes.0.take() {
            Some(wish) => Poll::Ready(Step::Wish(wish)),
            None => Poll::Pending,
        },
    })
    .await
}

/// What cannot be done inside the call's future: it blocks the thread, or runs the caller's code.
enum Wish {
    Begin(oneshot::Sender<Result<Connections, NoTransport>>),
    OtherDescriptors(Failure, oneshot::Sender<Result<Connections, NoTransport>>),
    Credentials(CallbackTurn, oneshot::Sender<Result<Identity, Error>>),
}

struct Connections {
    transport: Transport,
    /// Nobody has polled them since an earlier call.
    have_rested: bool,
}

/// Passes one wish at a time from the call to the loop around it, on the same thread.
#[derive(Default)]
struct Wishes(Cell<Option<Wish>>);

impl Wishes {
    async fn wish<T>(&self, wish: impl FnOnce(oneshot::Sender<T>) -> Wish) -> T {
        let (sender, answer) = oneshot::channel();
        self.0.set(Some(wish(sender)));
        match answer.await {
            Ok(answer) => answer,
            // The wish was given up since the call must end, which it finds out by itself.
            Err(_) => pending().await,
        }
    }
}

impl Driver for Wishes {
    async fn begin(&self) -> Result<Transport, NoTransport> {
        ready(self.wish(Wish::Begin).await?).await
    }

    async fn wait_for_descriptors(&self, failure: Failure) -> Result<Transport, NoTransport> {
        ready(self.wish(|sender| Wish::OtherDescriptors(failure, sender)).await?).await
    }

    async fn ask_caller(&self, turn: CallbackTurn) -> Result<Identity, Error> {
        self.wish(|sender| Wish::Credentials(turn, sender)).await
    }
}

/// Nobody polls a resting connection: two turns of the runtime let it notice that the server closed it.
async fn ready(connections: Connections) -> Result<Transport, NoTransport> {
    if connections.have_rested {
        yield_now().await;
        yield_now().await;
    }
    Ok(connections.transport)
}

/// What the call has been given so far. The worker goes before the permit: its descriptors are free when the next begins.
struct Means<'c> {
    client: &'c ClientState,
    worker: Option<Worker>,
    permit: Option<Permit>,
    /// See [`Permit::descriptors`].
    released: u64,
}

impl Means<'_> {
    /// Does what the call wishes, unless the call must end.
    fn fulfil(&mut self, wish: Wish, interrupts: &mut Interrupts<'_>) {
        match wish {
            Wish::Begin(sender) => {
                self.permit = interrupts.wait(pin!(self.client.permits.acquire()));
                if self.permit.is_some() {
                    self.send(sender, None, interrupts);
                }
            }
            Wish::OtherDescriptors(failure, sender) => {
                self.worker = None;
                self.send(sender, Some(failure), interrupts);
            }
            Wish::Credentials(turn, sender) => {
                // Whoever is gone does not want them.
                let _ = sender.send(run_callers_code(|| turn.ask()));
                interrupts.ask();
            }
        }
    }

    /// Sends a worker's connections. `failure`: an attempt found no descriptor.
    fn send(
        &mut self,
        sender: oneshot::Sender<Result<Connections, NoTransport>>,
        mut failure: Option<Failure>,
        interrupts: &mut Interrupts<'_>,
    ) {
        let connections = loop {
            if let Some(failure) = failure.take() {
                let Some(permit) = &self.permit else { return };
                match interrupts.wait(pin!(permit.descriptors(self.released))) {
                    Some(true) => {}
                    Some(false) => break Err(NoTransport::NoDescriptors(failure)),
                    None => return,
                }
            }
            self.released = self.client.permits.released();
            match self.client.worker() {
                Ok(mut worker) => {
                    let have_rested = worker.begin_call();
                    let transport = worker.transport().clone();
                    self.worker = Some(worker);
                    break Ok(Connections { transport, have_rested });
                }
                Err(NoWorker::Failed(error)) => break Err(NoTransport::Failed(error)),
                Err(NoWorker::NoDescriptors(error)) => {
                    let message = format!("no file descriptor was left for a connection: {error}");
                    failure = Some(Failure { kind: FailureKind::NoDescriptors, message });
                }
            }
        };
        let _ = sender.send(connections);
    }
}
