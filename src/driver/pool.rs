//! Turns and workers: how many calls of a client are under way at once, and what they run on.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use crate::config::config::default;
use crate::driver::deadline::Deadline;
use crate::driver::worker::Worker;
use crate::lock::{lock, wait_until};
use crate::platform::limits;
use crate::status::Status;

/// More workers than this are not kept for later calls.
const MAX_IDLE: usize = 16;

/// The workers of one client in one process.
pub(crate) struct Pool {
    max_under_way: u32,
    state: Mutex<State>,
    /// Rung at every end of a call while any call has no descriptors.
    call_ended: Condvar,
}

#[derive(Default)]
struct State {
    /// Last used, first used again: the fewest connections stay open.
    idle: Vec<(Worker, Instant)>,
    under_way: u32,
    /// Of those under way, the ones that wait because the process has no descriptors.
    without_descriptors: u32,
    ended: u64,
    /// First come, first served.
    waiting: VecDeque<Arc<Waiter>>,
}

#[derive(Default)]
struct Waiter {
    permit: Mutex<bool>,
    granted: Condvar,
}

/// A permit: the right to have one call under way. Ends when it is dropped.
pub(crate) struct Permit<'a>(&'a Pool);

impl Pool {
    /// `None`: as many calls at once as half of the process's descriptors allow.
    pub(crate) fn new(max_connections: Option<u32>) -> Self {
        Self {
            max_under_way: max_connections.unwrap_or_else(limits::default_max_connections),
            state: Mutex::default(),
            call_ended: Condvar::new(),
        }
    }

    /// Waits for a permit for as long as `deadline` lasts.
    pub(crate) fn permit(&self, deadline: &mut Deadline<'_>) -> Result<Permit<'_>, Status> {
        let waiting = {
            let mut state = lock(&self.state);
            if state.under_way < self.max_under_way {
                state.under_way += 1;
                return Ok(Permit(self));
            }
            let waiter = Arc::new(Waiter::default());
            state.waiting.push_back(Arc::clone(&waiter));
            Waiting { pool: self, waiter }
        };
        loop {
            if waiting.waiter.wait(deadline) {
                return Ok(waiting.take());
            }
            if let Some(status) = deadline.end() {
                return Err(status);
            }
        }
    }

    /// An worker that a call before left.
    pub(crate) fn idle_engine(&self) -> Option<Worker> {
        lock(&self.state).idle.pop().map(|(worker, _)| worker)
    }

    /// Keeps an worker that is fit for further calls.
    pub(crate) fn keep(&self, worker: Worker) {
        let now = Instant::now();
        let mut state = lock(&self.state);
        state.idle.push((worker, now));
        // Nobody polls idle workers, so their connections cannot notice that their time is over.
        let fresh = state.idle.iter().position(|(_, since)| now - *since < default::IDLE_TIMEOUT);
        let surplus = state.idle.len().saturating_sub(MAX_IDLE);
        let dropped: Vec<_> = state.idle.drain(..fresh.unwrap_or_default().max(surplus)).collect();
        drop(state);
        drop(dropped);
    }

    /// Waits until another call ends, which frees descriptors. `Ok(false)`: there is no other.
    pub(crate) fn wait_for_descriptors(&self, _turn: &Permit<'_>, deadline: &mut Deadline<'_>) -> Result<bool, Status> {
        let mut state = lock(&self.state);
        let seen = state.ended;
        state.without_descriptors += 1;
        let outcome = loop {
            if !state.idle.is_empty() || state.ended != seen {
                break Ok(true);
            }
            if state.under_way == state.without_descriptors {
                break Ok(false);
            }
            state = wait_until(&self.call_ended, state, deadline.until());
            if state.ended == seen {
                drop(state);
                let end = deadline.end();
                state = lock(&self.state);
                if let Some(status) = end {
                    break Err(status);
                }
            }
        };
        state.without_descriptors -= 1;
        outcome
    }
}

/// A place in the line, given up when it is dropped, however that comes.
struct Waiting<'a> {
    pool: &'a Pool,
    waiter: Arc<Waiter>,
}

impl<'a> Waiting<'a> {
    /// The permit that was granted.
    fn take(self) -> Permit<'a> {
        *lock(&self.waiter.permit) = false;
        Permit(self.pool)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(&self.pool.state).waiting.retain(|other| !Arc::ptr_eq(other, &self.waiter));
        if *lock(&self.waiter.permit) {
            // Granted in the same moment: the next in line gets it.
            drop(Permit(self.pool));
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.ended += 1;
        match state.waiting.pop_front() {
            // The number under way stays: one ends, one begins.
            Some(next) => next.grant(),
            None => state.under_way -= 1,
        }
        if state.without_descriptors > 0 {
            self.0.call_ended.notify_all();
        }
    }
}

impl Waiter {
    fn grant(&self) {
        *lock(&self.permit) = true;
        self.granted.notify_one();
    }

    /// Whether the permit came before the deadline has to be asked again.
    fn wait(&self, deadline: &Deadline<'_>) -> bool {
        let until = deadline.until();
        let mut permit = lock(&self.permit);
        while !*permit && until.is_none_or(|until| Instant::now() < until) {
            permit = wait_until(&self.granted, permit, until);
        }
        *permit
    }
}
