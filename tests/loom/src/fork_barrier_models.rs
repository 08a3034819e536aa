//! The barrier between forks and running workers. A worker writes to a cell while it runs, and a fork reads it: loom fails if it
//! does not know that one comes after the other.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread::{self, JoinHandle};

use crate::driver::fork_barrier::{ForkBarrier, Registered};
use crate::lock::end_patience;
use crate::platform::at_fork::{fork_in_child, fork_in_parent};
use crate::{check, check_up_to};

pub(crate) fn check_all() {
    check_up_to(2, "no worker runs during a fork", no_worker_runs_during_a_fork);
    check("a busy worker lets a fork proceed", || a_busy_worker_lets_a_fork_proceed(ForkBarrier::checkpoint));
    check("a busy task lets a fork proceed", || {
        a_busy_worker_lets_a_fork_proceed(|_| ForkBarrier::checkpoint_here());
    });
    check("a fork sees a worker that was registered meanwhile", a_fork_sees_a_worker_that_was_registered_meanwhile);
    check("a running worker ends during a fork", a_running_worker_ends_during_a_fork);
    check_up_to(2, "one of two threads forks at a time", one_of_two_threads_forks_at_a_time);
    check("a fork that gave up ends no other", a_fork_that_gave_up_ends_no_other);
    check("a fork gives up", a_fork_gives_up);
    check("fork handlers use the library", fork_handlers_use_the_library);
    check("code outside a worker waits for a fork", code_outside_a_worker_waits_for_a_fork);
    check("a child does not wait for its parent's workers", a_child_does_not_wait_for_its_parents_workers);
}

/// What a worker changes while it runs.
#[derive(Clone, Default)]
struct State(Arc<UnsafeCell<u32>>);

impl State {
    fn change(&self) {
        // SAFETY: nobody else uses it, which loom checks.
        self.0.with_mut(|state| unsafe { *state += 1 });
    }

    /// Is what a fork does with it.
    fn copy(&self) -> u32 {
        // SAFETY: nobody changes it, which loom checks.
        self.0.with(|state| unsafe { *state })
    }
}

/// Makes a barrier, and with it the static variables of this run of the model.
fn registered() -> Registered {
    let barrier = Registered::new();
    drop(barrier.running());
    barrier
}

/// Starts a worker that runs twice, and is ready for a fork in the middle of the first time.
fn start_worker(barrier: Registered, state: &State) -> JoinHandle<()> {
    let state = state.clone();
    thread::spawn(move || {
        {
            let _running = barrier.running();
            state.change();
            barrier.checkpoint();
            state.change();
        }
        let _running = barrier.running();
        state.change();
    })
}

fn start_fork(states: &[&State]) -> JoinHandle<()> {
    let states: Vec<_> = states.iter().map(|&state| state.clone()).collect();
    thread::spawn(move || fork(&states))
}

fn fork(states: &[State]) {
    fork_in_parent(|| states.iter().for_each(|state| assert!(state.copy() <= 3)));
}

fn no_worker_runs_during_a_fork() {
    let states = [State::default(), State::default()];
    let barriers = [registered(), registered()];
    let workers: Vec<_> =
        barriers.into_iter().zip(&states).map(|(barrier, state)| start_worker(barrier, state)).collect();
    fork(&states);
    workers.into_iter().for_each(|worker| worker.join().unwrap());
}

/// The worker runs until the fork is over.
fn a_busy_worker_lets_a_fork_proceed(checkpoint: fn(&ForkBarrier)) {
    let (barrier, state, is_over) = (registered(), State::default(), Arc::new(AtomicBool::new(false)));
    let worker = {
        let (state, is_over) = (state.clone(), Arc::clone(&is_over));
        thread::spawn(move || {
            let _running = barrier.running();
            while !is_over.load(Ordering::Relaxed) {
                checkpoint(&barrier);
                state.change();
                thread::yield_now();
            }
        })
    };
    fork_in_parent(|| state.copy());
    is_over.store(true, Ordering::Relaxed);
    worker.join().unwrap();
}

fn a_fork_sees_a_worker_that_was_registered_meanwhile() {
    let (_other, state) = (registered(), State::default());
    let worker = {
        let state = state.clone();
        thread::spawn(move || {
            let barrier = Registered::new();
            let _running = barrier.running();
            state.change();
        })
    };
    fork(&[state]);
    worker.join().unwrap();
}

/// A worker whose runtime is dropped while it runs.
fn a_running_worker_ends_during_a_fork() {
    let (barrier, state) = (registered(), State::default());
    let forks = start_fork(&[&state]);
    barrier.enter();
    state.change();
    drop(barrier);
    forks.join().unwrap();
}

fn one_of_two_threads_forks_at_a_time() {
    let (barrier, state, forks) = (registered(), State::default(), State::default());
    let other = {
        let (state, forks) = (state.clone(), forks.clone());
        thread::spawn(move || fork_in_parent(|| (state.copy(), forks.change())))
    };
    let worker = start_worker(barrier, &state);
    fork_in_parent(|| (state.copy(), forks.change()));
    other.join().unwrap();
    worker.join().unwrap();
    drop(registered());
}

/// The worker waits for the first fork, whatever becomes of the second one.
fn a_fork_that_gave_up_ends_no_other() {
    let (barrier, state) = (registered(), State::default());
    let worker = fork_in_parent(|| {
        let worker = start_worker(barrier, &state);
        end_patience(true);
        start_fork(&[]).join().unwrap();
        state.copy();
        worker
    });
    worker.join().unwrap();
    drop(registered());
}

/// A worker waits for a thread that forks.
fn a_fork_gives_up() {
    let barrier = registered();
    let running = barrier.running();
    let fork = start_fork(&[]);
    end_patience(true);
    fork.join().unwrap();
    drop(running);
    drop(registered());
}

/// Handlers of the application run between those of the library.
fn fork_handlers_use_the_library() {
    let (barrier, state) = (registered(), State::default());
    let worker = start_worker(barrier, &state);
    fork_in_parent(|| {
        drop(registered());
        state.copy();
    });
    worker.join().unwrap();
}

fn code_outside_a_worker_waits_for_a_fork() {
    let (barrier, state) = (registered(), State::default());
    let running = barrier.running();
    state.change();
    let other_fork = start_fork(&[&state]);
    ForkBarrier::outside(|| {
        drop(registered());
        start_fork(&[&state]).join().unwrap();
    });
    state.change();
    drop(running);
    other_fork.join().unwrap();
}

/// One of them ran at the fork, which gave up.
fn a_child_does_not_wait_for_its_parents_workers() {
    let (parents, state) = (registered(), State::default());
    parents.enter();
    end_patience(true);
    fork_in_child();
    end_patience(false);
    let worker = start_worker(registered(), &state);
    fork(&[state]);
    worker.join().unwrap();
    drop(parents);
    drop(registered());
}
