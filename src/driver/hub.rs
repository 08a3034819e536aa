//! The thread of a queue: one runtime that drives all calls of the queue, and the connections that they leave idle.
//!
//! A queue has a thread of its own, and not all queues of a process one together: a program that wants more than one core
//! for its calls makes a second queue, and a queue ends with all that it started.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

use aws_smithy_runtime_api::client::identity::Identity;
use tokio::sync::oneshot;
use tokio::task::yield_now;

use crate::credentials::cache::CallbackLoad;
use crate::driver::connection::{Connection, close_expired};
use crate::driver::fork_barrier::ForkBarrier;
use crate::driver::permits::CallKind;
use crate::driver::pool::{Owner, Pool};
use crate::driver::runtime::{GuardedRuntime, Pace};
use crate::driver::submissions::{Duty, Submissions, Submitted, Work};
use crate::driver::task::{self, Loading, RunsCallbacks};
use crate::error::Error;
use crate::platform::limits;
use crate::platform::signals::{CallersMask, with_all_blocked};
use crate::status::Status;

/// The hub ends what it has begun before it begins more: what belongs to a few calls stays in the processor's cache. With
/// tokio's own numbers, 1,024 and 61, and with all submitted calls begun at once, 1,000 calls in flight pass each stage
/// together, and each costs twice as much as one of 64.
const PACE: Pace = Pace { max_events: 32, event_interval: 512 };

/// Starts the thread of a queue. It ends when the queue is closed.
pub(crate) fn start<S: Submissions>(queue: &Arc<S>) -> Result<JoinHandle<()>, Error> {
    let runtime = GuardedRuntime::new(&PACE).map_err(|error| {
        let why = limits::explained(&error).unwrap_or_else(|| error.to_string());
        Error::new(Status::Connect, format!("the queue could not be started: {why}"))
    })?;
    let (queue, mask) = (Arc::clone(queue), CallersMask::current());
    let thread = thread::Builder::new().name("lambda-queue".to_owned());
    let started = with_all_blocked(|| {
        thread.spawn(move || {
            mask.give_to_children();
            if catch_unwind(AssertUnwindSafe(|| run(&*queue, runtime))).is_err() {
                queue.hub_broke();
            }
        })
    });
    started
        .map_err(|error| Error::new(Status::NoMemory, format!("the thread of the queue could not be started: {error}")))
}

fn run<S: Submissions>(queue: &S, runtime: GuardedRuntime) {
    let owner = Owner::default();
    let mut pools = Vec::new();
    runtime.block_on(begin_all(queue, &owner, &mut pools));
    // Drops the calls that are left, and closes their connections; then those that rest are only memory.
    drop(runtime);
    ForkBarrier::guarded(|| pools.iter().filter_map(Weak::upgrade).for_each(|pool| pool.close_all()));
}

/// Begins the calls that are submitted, each as a task of its own, until the queue is closed.
async fn begin_all<S: Submissions>(queue: &S, owner: &Owner, pools: &mut Vec<Weak<Pool<Connection>>>) {
    loop {
        let work = poll_fn(|context| {
            ForkBarrier::checkpoint_here();
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
            tokio::spawn(drive(submitted, pool));
        }
        yield_now().await;
    }
}

/// Drives one call to its end, and completes it. Its connection, its descriptors and its permit are passed on after that:
/// from the caller's point of view, the connection is idle when the call is complete.
async fn drive(submitted: Submitted<impl Duty>, pool: Arc<Pool<Connection>>) {
    let Submitted { call, client, duty } = submitted;
    let (outcome, release) = task::drive(call, client, CallKind::Queued, pool, Box::new(OnOwnThread)).await;
    duty.complete(outcome);
    release.pass_on().await;
}

/// Runs a credentials callback on a thread of its own, for as long as it takes.
struct OnOwnThread;

impl RunsCallbacks for OnOwnThread {
    fn run(&self, load: CallbackLoad) -> Loading<'_> {
        Box::pin(on_own_thread(load))
    }
}

async fn on_own_thread(load: CallbackLoad) -> Result<Identity, Error> {
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
