//! The thread of a queue: one runtime that drives all calls of the queue, and the connections that they leave idle.
//!
//! A queue has a thread of its own, and not all queues of a process one together: a program that wants more than one core
//! for its calls makes a second queue, and a queue ends with all that it started.

use std::future::{Future, poll_fn};
use std::mem;
use std::ops::DerefMut;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::ptr;
use std::sync::{Arc, Mutex, Weak};
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::Instant;

use aws_smithy_runtime_api::client::identity::Identity;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::{sleep_until, timeout};

use crate::call::{Driver, NoTransport};
use crate::config::config::default;
use crate::credentials::cache::CallbackLoad;
use crate::driver::client_state::{ClientState, Connection};
use crate::driver::descriptors::{Acquire, LOOK_EVERY, Lease, Shortage, with_limit};
use crate::driver::fork_barrier::{ForkBarrier, Registered};
use crate::driver::permits::{CallKind, Permit};
use crate::driver::pool::{IdleConnections, Owner, Pool, can_be_reused};
use crate::driver::submissions::{Duty, Submissions, Submitted, Work};
use crate::driver::worker::{self, FOR_EVER, Pace};
use crate::error::Error;
use crate::http::transport::{Failure, Transport};
use crate::large_future::on_heap;
use crate::lock::lock;
use crate::log::Log;
use crate::platform::limits;
use crate::platform::signals::{CallersMask, with_all_blocked};
use crate::status::Status;

/// The hub ends what it has begun before it begins more: what belongs to a few calls stays in the processor's cache. With
/// tokio's own numbers, 1,024 and 61, and with all submitted calls begun at once, 1,000 calls in flight pass each stage
/// together, and each costs twice as much as one of 64.
const PACE: Pace = Pace { max_events: 32, event_interval: 512 };

/// Starts the thread of a queue. It ends when the queue is closed.
pub(crate) fn start<S: Submissions>(queue: &Arc<S>) -> Result<JoinHandle<()>, Error> {
    let barrier = Registered::new();
    let runtime = {
        let _running = barrier.running();
        worker::runtime(barrier.barrier(), &PACE)
    };
    let runtime = runtime.map_err(|error| {
        let limit = match limits::is_out_of_descriptors(&error) {
            true => limits::descriptors_in_words(),
            false => String::new(),
        };
        Error::new(Status::Connect, format!("the queue could not be started: {error}{limit}"))
    })?;
    let (queue, mask) = (Arc::clone(queue), CallersMask::current());
    let thread = thread::Builder::new().name("lambda-queue".to_owned());
    let started = with_all_blocked(|| {
        thread.spawn(move || {
            mask.give_to_children();
            if catch_unwind(AssertUnwindSafe(|| run(&*queue, barrier, runtime))).is_err() {
                queue.hub_broke();
            }
        })
    });
    started
        .map_err(|error| Error::new(Status::NoMemory, format!("the thread of the queue could not be started: {error}")))
}

fn run<S: Submissions>(queue: &S, barrier: Registered, runtime: Runtime) {
    let running = barrier.running();
    let owner = Owner::default();
    let mut pools = Vec::new();
    runtime.block_on(begin_all(queue, barrier.barrier(), &owner, &mut pools));
    // Drops the calls that are left, and closes their connections; then those that rest are only memory.
    drop(runtime);
    pools.iter().filter_map(Weak::upgrade).for_each(|pool| pool.close_all());
    drop(running);
}

/// Begins the calls that are submitted, each as a task of its own, until the queue is closed.
async fn begin_all<S: Submissions>(
    queue: &S,
    barrier: &Arc<ForkBarrier>,
    owner: &Owner,
    pools: &mut Vec<Weak<Pool<Connection>>>,
) {
    loop {
        let work = poll_fn(|context| {
            barrier.checkpoint();
            queue.poll_work(context.waker())
        });
        let Work::Begin(submitted) = work.await else { return };
        for submitted in submitted {
            let pool = submitted.client.pool_of(owner);
            if !pools.iter().any(|known| ptr::eq(known.as_ptr(), Arc::as_ptr(&pool))) {
                pools.retain(|known| known.strong_count() > 0);
                pools.push(Arc::downgrade(&pool));
                tokio::spawn(close_expired(Arc::downgrade(&pool)));
            }
            tokio::spawn(drive(submitted, pool, Arc::clone(barrier)));
        }
        yield_now().await;
    }
}

/// Closes what has rested in a pool for its idle timeout, as long as there is the pool.
async fn close_expired(pool: Weak<Pool<Connection>>) {
    let mut next = Instant::now() + default::IDLE_TIMEOUT;
    loop {
        sleep_until(next.into()).await;
        let Some(pool) = pool.upgrade() else { return };
        let now = Instant::now();
        pool.close_expired(now);
        // What is not idle yet cannot expire earlier than this.
        next = pool.oldest().unwrap_or(now) + default::IDLE_TIMEOUT;
    }
}

/// Drives one call to its end, and completes it. Its connection, its descriptors and its permit are passed on after that.
async fn drive(submitted: Submitted<impl Duty>, pool: Arc<Pool<Connection>>, barrier: Arc<ForkBarrier>) {
    let Submitted { call, client, duty } = submitted;
    let may_still_be_sending = call.may_still_be_sending();
    let deadline = call.deadline().clone();
    let driver = HubDriver { client, pool, log: call.log().clone(), held: Mutex::default() };
    // The call's own future is large. While the call waits for its turn, there is only this one.
    let turn = until_deadline(pin!(deadline.bound(pin!(driver.permit()))), deadline.at(), &barrier).await;
    lock(&driver.held).permit = turn.ok();
    let outcome = until_deadline(on_heap(|| call.run(&driver)), deadline.at(), &barrier).await;
    // From the caller's point of view, the connection is idle when the call is complete.
    let releases = driver.pool.releases();
    let is_kept = can_be_reused(outcome.status, may_still_be_sending);
    duty.complete(outcome);
    // The connection's own task runs before a later call gets it, or before a waiting call looks for its descriptor.
    let mut held = mem::take(&mut *lock(&driver.held));
    if !is_kept {
        held.transport = None;
    }
    yield_now().await;
    if let Some(transport) = held.transport.take() {
        driver.pool.keep_since(releases, Connection { transport, idle_since: Instant::now() });
    }
    drop(held);
}

/// Polls what a call does until it ends, and once more at the call's deadline, which it does not wait for itself.
async fn until_deadline<F: Future + ?Sized>(
    mut call: Pin<impl DerefMut<Target = F>>,
    deadline: Option<Instant>,
    barrier: &ForkBarrier,
) -> F::Output {
    let at = deadline.map_or_else(|| tokio::time::Instant::now() + FOR_EVER, Into::into);
    let mut timer = pin!(sleep_until(at));
    poll_fn(|context| {
        // A busy runtime does not park, so a waiting fork also proceeds between two polls.
        barrier.checkpoint();
        match call.as_mut().poll(context) {
            Poll::Pending if timer.as_mut().poll(context).is_ready() => call.as_mut().poll(context),
            polled => polled,
        }
    })
    .await
}

/// What one call needs, from the hub.
struct HubDriver {
    client: Arc<ClientState>,
    pool: Arc<Pool<Connection>>,
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

impl Driver for HubDriver {
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
        let has_closed = self.client.descriptors.close_idle();
        yield_now().await;
        let lease = match lease {
            None => looking(self.client.descriptors.acquire()).await,
            Some(lease) if has_closed => lease,
            Some(lease) => match lease.lacks() {
                Shortage::LookAgain(lease) => lease,
                Shortage::Wait(acquire) => looking(acquire).await,
                Shortage::Hopeless => return Err(NoTransport::NoDescriptors(with_limit(failure))),
            },
        };
        self.equip(lease).await
    }

    async fn run_credentials_callback(&self, load: CallbackLoad) -> Result<Identity, Error> {
        let (sender, loaded) = oneshot::channel();
        let thread = thread::Builder::new().name("lambda-creds".to_owned());
        let started = with_all_blocked(|| {
            thread.spawn(move || {
                // The call may have ended meanwhile; the cache keeps what was loaded.
                let _ = sender.send(load.run());
            })
        });
        let failed = |why: String| Err(Error::new(Status::Credentials, format!("no credentials: {why}")));
        match started {
            Ok(_) => loaded.await.unwrap_or_else(|_| {
                failed("a panic was caught beside the credentials callback; please report it".to_owned())
            }),
            Err(error) => failed(format!("no thread could be started for the credentials callback: {error}")),
        }
    }
}

impl HubDriver {
    /// Waits for the call's turn.
    async fn permit(&self) -> Permit {
        match self.client.permit(CallKind::Queued, &self.log) {
            Ok(permit) => permit,
            Err(acquire) => acquire.await,
        }
    }

    /// Gives the call an idle connection, or the means to open one.
    async fn equip(&self, lease: Lease) -> Result<Transport, NoTransport> {
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
