//! Runs the locking parts of the driver, the cancellation of a call and the state of a process under loom, which tries every
//! order of their steps that the memory model allows, and fails if a thread would wait for ever. With an argument it runs only
//! the models whose names contain it.
//!
//! The sources are those of the library. They get their locks, atomics and threads from `crate::lock`, which is loom's here,
//! and small stand-ins for what they use of other modules and of tokio.

#![allow(dead_code, clippy::panic, clippy::unwrap_used, reason = "this is a test, which uses a part of each source")]

use std::env::args;
use std::future::Future;
use std::panic::{catch_unwind, set_hook};
use std::pin::pin;
use std::process::exit;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use loom::future::block_on;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;

use driver::permits::{CallKind, Permits};
use driver::pool::{Closed, IdleConnections, Pool, Reusable};

// In the place of what the sources use of these crates there are modules of this one.
extern crate self as aws_smithy_runtime_api;
extern crate self as tokio;

use executor::runtime::spawn;
use executor::{runtime, sync, task, time};

mod lock;

mod client {
    pub(crate) mod identity {
        pub(crate) struct Identity;
    }
}

mod credentials {
    pub(crate) mod cache {
        use crate::client::identity::Identity;
        use crate::error::Error;

        /// The caller's credentials callback.
        pub(crate) struct CallbackLoad(pub(crate) Box<dyn FnOnce() + Send>);

        impl CallbackLoad {
            pub(crate) fn run(self) -> Result<Identity, Error> {
                (self.0)();
                Ok(Identity)
            }
        }
    }
}

mod http {
    pub(crate) mod transport {
        pub(crate) struct Transport;
    }
}

mod config {
    pub(crate) mod config {
        pub(crate) mod default {
            pub(crate) const IDLE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(50);
        }
    }
}

mod request {
    pub(crate) mod invocation {
        /// What becomes of a call.
        #[derive(Clone, Copy)]
        pub(crate) enum Invocation {
            Ends,
            EndsIfCancelled,
            Refused,
            BreaksTheHub,
        }
    }
}

#[path = "../../../src/deadline.rs"]
mod deadline;
#[path = "../../../src/error.rs"]
mod error;
#[path = "../../../src/outcome.rs"]
mod outcome;
#[path = "../../../src/server_text.rs"]
mod server_text;
#[path = "../../../src/status.rs"]
mod status;

mod call;
mod driver;
mod executor;
mod fork_barrier_models;
mod per_process_models;
mod platform;
mod queue_models;
mod shared_runtime_models;

/// How many threads may be interrupted in a row of steps: without a limit, models of three threads take hours.
const PREEMPTIONS: usize = 3;

fn check(name: &str, model: impl Fn() + Sync + Send + 'static) {
    check_up_to(PREEMPTIONS, name, model);
}

fn check_up_to(preemptions: usize, name: &str, model: impl Fn() + Sync + Send + 'static) {
    if args().nth(1).is_some_and(|part| !name.contains(&part)) {
        return;
    }
    let began = Instant::now();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
    println!("{name}: {:.1} s", began.elapsed().as_secs_f32());
}

fn poll_once<F: Future>(future: F) -> Poll<F::Output> {
    pin!(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Takes a permit, and checks that no more are held than there are.
fn hold(permits: &Arc<Permits>, kind: CallKind, takes: u32, held: &AtomicU32, max: u32) {
    let permit = block_on(permits.acquire(kind));
    assert!(held.fetch_add(takes, Ordering::SeqCst) + takes <= max, "too many permits");
    held.fetch_sub(takes, Ordering::SeqCst);
    drop(permit);
}

fn all_are_back(permits: &Arc<Permits>, max: u32) {
    let all: Vec<_> = (0..max).map(|_| permits.try_acquire(CallKind::Queued)).collect();
    assert!(all.iter().all(Option::is_some), "a permit was lost");
    assert!(permits.try_acquire(CallKind::Queued).is_none(), "there is a permit too many");
}

/// Three calls, one permit: each gets it, one at a time, and it comes back.
fn permits_are_passed_on() {
    let (permits, held) = (Permits::for_calls(1), Arc::new(AtomicU32::new(0)));
    let others: Vec<_> = (0..2)
        .map(|_| {
            let (permits, held) = (Arc::clone(&permits), Arc::clone(&held));
            thread::spawn(move || hold(&permits, CallKind::Queued, 1, &held, 1))
        })
        .collect();
    hold(&permits, CallKind::Queued, 1, &held, 1);
    others.into_iter().for_each(|other| other.join().unwrap());
    all_are_back(&permits, 1);
}

/// A call that gives up, perhaps at the moment when it is granted the permit, does not take it away from the next.
fn a_waiter_gives_up() {
    let (permits, held) = (Permits::for_calls(1), Arc::new(AtomicU32::new(0)));
    let first = permits.try_acquire(CallKind::Queued).unwrap();
    let impatient = {
        let permits = Arc::clone(&permits);
        thread::spawn(move || drop(poll_once(permits.acquire(CallKind::Queued))))
    };
    let patient = {
        let (permits, held) = (Arc::clone(&permits), Arc::clone(&held));
        thread::spawn(move || hold(&permits, CallKind::Queued, 1, &held, 1))
    };
    drop(first);
    impatient.join().unwrap();
    patient.join().unwrap();
    all_are_back(&permits, 1);
}

/// A blocking call takes the place of two queued ones.
fn kinds_of_calls_share_permits() {
    let (permits, held) = (Permits::by_descriptors(1, 2), Arc::new(AtomicU32::new(0)));
    let blocking = {
        let (permits, held) = (Arc::clone(&permits), Arc::clone(&held));
        thread::spawn(move || hold(&permits, CallKind::Blocking, 2, &held, 2))
    };
    hold(&permits, CallKind::Queued, 1, &held, 2);
    blocking.join().unwrap();
    all_are_back(&permits, 2);
}

struct Idle;

impl Reusable for Idle {
    const CLOSES_LATER: bool = false;

    fn idle_since(&self) -> Option<Instant> {
        Some(Instant::now() + Duration::from_secs(1))
    }
}

/// What was in use when everything idle was closed is not idle afterwards.
fn nothing_outlasts_a_release() {
    let pool = Arc::new(Pool::<Idle>::default());
    pool.keep(Idle);
    let releases = pool.releases();
    let call = {
        let pool = Arc::clone(&pool);
        thread::spawn(move || {
            let connection = pool.take().unwrap_or(Idle);
            pool.keep_since(releases, connection);
        })
    };
    pool.close_all();
    call.join().unwrap();
    assert_eq!(pool.close_oldest(), Closed::Nothing, "a connection outlasted the release");
}

/// A fault that only some orders show: two threads read a number, and each writes back one more.
fn planted() {
    let count = Arc::new(AtomicU32::new(0));
    let other = {
        let count = Arc::clone(&count);
        thread::spawn(move || count.store(count.load(Ordering::SeqCst) + 1, Ordering::SeqCst))
    };
    count.store(count.load(Ordering::SeqCst) + 1, Ordering::SeqCst);
    other.join().unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 2, "planted");
}

fn main() {
    // With one more, this one takes longer than all others.
    check_up_to(2, "permits are passed on", permits_are_passed_on);
    check("a waiter gives up", a_waiter_gives_up);
    check("kinds of calls share permits", kinds_of_calls_share_permits);
    check("nothing outlasts a release", nothing_outlasts_a_release);
    queue_models::check_all();
    shared_runtime_models::check_all();
    per_process_models::check_all();
    fork_barrier_models::check_all();
    // The proof that loom tries other orders than the obvious one. Last, and without the words of panics: those of the threads
    // that it leaves come whenever loom drops them.
    set_hook(Box::new(|_| {}));
    let found = catch_unwind(|| loom::model(planted)).unwrap_err();
    if !found.downcast_ref::<String>().is_some_and(|why| why.contains("planted")) {
        eprintln!("the planted fault was not found");
        exit(1);
    }
    println!("the planted fault was found");
    exit(0);
}
