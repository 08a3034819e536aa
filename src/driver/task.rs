//! A call as a task of a runtime that many calls share: that of a queue, or that of blocking calls that are under way at
//! once. It has a connection of its own, but no runtime.

use std::future::{Future, poll_fn};
use std::mem;
use std::ops::DerefMut;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Instant;

use aws_smithy_runtime_api::client::identity::Identity;
use tokio::task::yield_now;
use tokio::time::{sleep_until, timeout};

use crate::call::{Call, Driver, NoTransport};
use crate::credentials::cache::CallbackLoad;
use crate::driver::client_state::ClientState;
use crate::driver::connection::Connection;
use crate::driver::descriptors::{Acquire, LOOK_EVERY, Lease, Shortage, with_limit};
use crate::driver::fork_barrier::ForkBarrier;
use crate::driver::permits::{CallKind, Permit};
use crate::driver::pool::{Closed, Pool, can_be_reused};
use crate::driver::worker::FOR_EVER;
use crate::error::Error;
use crate::http::transport::{Failure, Transport};
use crate::large_future::on_heap;
use crate::lock::lock;
use crate::log::Log;
use crate::outcome::Outcome;

/// Runs the caller's credentials callback where it does not block the other calls of the runtime.
pub(crate) trait RunsCallbacks: Send + Sync {
    fn run(&self, load: CallbackLoad) -> Loading<'_>;
}

pub(crate) type Loading<'r> = Pin<Box<dyn Future<Output = Result<Identity, Error>> + Send + 'r>>;

/// What a call holds, until it is dropped.
pub(crate) struct Release {
    held: Held,
    pool: Arc<Pool<Connection>>,
    releases: u64,
}

/// Drives a call to its end. Its connection, its descriptors and its permit are still held.
pub(crate) async fn drive(
    call: Box<Call>,
    client: Arc<ClientState>,
    kind: CallKind,
    pool: Arc<Pool<Connection>>,
    callbacks: Box<dyn RunsCallbacks>,
) -> (Outcome, Release) {
    let may_still_be_sending = call.may_still_be_sending();
    let deadline = call.deadline().clone();
    let driver = TaskDriver { client, pool, callbacks, log: call.log().clone(), held: Mutex::default() };
    // The call's own future is large. While the call waits for its turn, there is only this one.
    let turn = until_deadline(pin!(deadline.bound(pin!(driver.permit(kind)))), deadline.at()).await;
    lock(&driver.held).permit = turn.ok();
    let outcome = until_deadline(on_heap(|| call.run(&driver)), deadline.at()).await;
    let mut held = mem::take(&mut *lock(&driver.held));
    if !can_be_reused(outcome.status, may_still_be_sending) {
        held.transport = None;
    }
    let releases = driver.pool.releases();
    (outcome, Release { held, pool: driver.pool, releases })
}

impl Release {
    /// Passes on what the call held.
    pub(crate) async fn pass_on(mut self) {
        // The connection's own task runs before a later call gets it, or before a waiting call looks for its descriptor.
        yield_now().await;
        if let Some(transport) = self.held.transport.take() {
            self.pool.keep_since(self.releases, Connection { transport, idle_since: Instant::now() });
        }
    }
}

/// Polls what a call does until it ends, and once more at the call's deadline, which it does not wait for itself.
async fn until_deadline<F: Future + ?Sized>(
    mut call: Pin<impl DerefMut<Target = F>>,
    deadline: Option<Instant>,
) -> F::Output {
    let at = deadline.map_or_else(|| tokio::time::Instant::now() + FOR_EVER, Into::into);
    let mut timer = pin!(sleep_until(at));
    poll_fn(|context| {
        // A busy runtime does not park, so a waiting fork also proceeds between two polls.
        ForkBarrier::checkpoint_here();
        match call.as_mut().poll(context) {
            Poll::Pending if timer.as_mut().poll(context).is_ready() => call.as_mut().poll(context),
            polled => polled,
        }
    })
    .await
}

/// What one call needs, from the runtime that it shares.
struct TaskDriver {
    client: Arc<ClientState>,
    pool: Arc<Pool<Connection>>,
    /// Not a type parameter: the code of a call would be in the library twice, 20 KB.
    callbacks: Box<dyn RunsCallbacks>,
    log: Log,
    /// Only the call's own task uses it.
    held: Mutex<Held>,
}

/// What a call holds. Dropped in this order, so that its connection is closed when the next call looks for descriptors.
#[derive(Default)]
struct Held {
    transport: Option<Transport>,
    lease: Option<Lease>,
    permit: Option<Permit>,
}

impl Driver for TaskDriver {
    async fn begin(&self) -> Result<Transport, NoTransport> {
        let lease = looking(self.client.descriptors.acquire()).await;
        self.equip(lease).await
    }

    async fn wait_for_descriptors(&self, failure: Failure) -> Result<Transport, NoTransport> {
        let lease = {
            let mut held = lock(&self.held);
            held.transport = None;
            held.lease.take()
        };
        // The sockets of this call and of one that rests are closed by their tasks.
        let closed = self.client.descriptors.close_idle();
        yield_now().await;
        let lease = match lease {
            None => looking(self.client.descriptors.acquire()).await,
            Some(lease) if closed != Closed::Nothing => lease,
            Some(lease) => match lease.lacks() {
                Shortage::LookAgain(lease) => lease,
                Shortage::Wait(acquire) => looking(acquire).await,
                Shortage::Hopeless => return Err(NoTransport::NoDescriptors(with_limit(failure))),
            },
        };
        self.equip(lease).await
    }

    async fn run_credentials_callback(&self, load: CallbackLoad) -> Result<Identity, Error> {
        self.callbacks.run(load).await
    }
}

impl TaskDriver {
    /// Waits for the call's turn.
    async fn permit(&self, kind: CallKind) -> Permit {
        match self.client.permit(kind, &self.log) {
            Ok(permit) => permit,
            Err(acquire) => acquire.await,
        }
    }

    /// Gives the call an idle connection, or the means to open one.
    async fn equip(&self, mut lease: Lease) -> Result<Transport, NoTransport> {
        // The worker of a call that had a runtime to itself, which is closed for its descriptors.
        lease.close();
        let idle = self.pool.take().map(|connection| connection.transport);
        let was_idle = idle.is_some();
        let transport = match idle {
            Some(transport) => transport,
            None => self.client.new_transport().map_err(NoTransport::Failed)?,
        };
        {
            let mut held = lock(&self.held);
            (held.lease, held.transport) = (Some(lease), Some(transport.clone()));
        }
        if was_idle {
            // The runtime looks at its sockets first: the server may have closed this one.
            yield_now().await;
        }
        Ok(transport)
    }
}

/// Waits for a lease, and looks from time to time whether the application has closed something.
async fn looking(mut acquire: Acquire) -> Lease {
    loop {
        if let Ok(lease) = timeout(LOOK_EVERY, &mut acquire).await {
            return lease;
        }
    }
}
