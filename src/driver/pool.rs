//! Idle workers, which earlier calls left for later ones.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Instant;

use crate::config::config::default;
use crate::driver::worker::Worker;
use crate::lock::lock;

/// The idle workers of one client in one process: as many as were in use at once, until their idle timeout.
#[derive(Default)]
pub(crate) struct Pool {
    /// In the order of their last use. The last one used is the next one used, so that the fewest connections stay open.
    idle: Mutex<VecDeque<Box<Worker>>>,
}

impl Pool {
    /// Takes the worker that was used last. Closes those that have been idle for too long: nobody polls them, so their
    /// connections cannot notice it.
    pub(crate) fn take(&self) -> Option<Box<Worker>> {
        let now = Instant::now();
        let mut idle = lock(&self.idle);
        let expired = expired(&idle, now);
        let expired: Vec<_> = idle.drain(..expired).collect();
        let last = idle.pop_back();
        drop(idle);
        drop(expired);
        last
    }

    /// Keeps a worker that later calls can use.
    pub(crate) fn keep(&self, worker: Box<Worker>) {
        lock(&self.idle).push_back(worker);
    }

    /// Closes the workers that are idle now. Those in use are not affected.
    pub(crate) fn close_all(&self) {
        let idle = std::mem::take(&mut *lock(&self.idle));
        drop(idle);
    }

    /// Returns since when the worker has been idle that has been so for longest.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        lock(&self.idle).front().and_then(|worker| worker.idle_since())
    }

    /// Closes that worker. `false`: there is none.
    pub(crate) fn close_oldest(&self) -> bool {
        let oldest = lock(&self.idle).pop_front();
        oldest.is_some()
    }
}

/// Returns how many workers, from the front, have been idle for too long.
fn expired(idle: &VecDeque<Box<Worker>>, now: Instant) -> usize {
    let is_expired = |worker: &Box<Worker>| {
        worker.idle_since().is_some_and(|since| now.saturating_duration_since(since) >= default::IDLE_TIMEOUT)
    };
    idle.iter().take_while(|worker| is_expired(worker)).count()
}
