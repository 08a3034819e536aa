//! Idle workers, which earlier calls left for later ones.

use std::sync::Mutex;
use std::time::Instant;

use crate::config::config::default;
use crate::driver::worker::Worker;
use crate::lock::lock;

/// The number of idle workers that are kept; the oldest beyond it are dropped.
const MAX_IDLE: usize = 16;

/// The idle workers of one client in one process.
#[derive(Default)]
pub(crate) struct Pool {
    /// The last one used is the next one used, so that the fewest connections stay open.
    idle: Mutex<Vec<(Worker, Instant)>>,
}

impl Pool {
    /// Takes the worker that was used last.
    pub(crate) fn take(&self) -> Option<Worker> {
        lock(&self.idle).pop().map(|(worker, _)| worker)
    }

    /// Keeps a worker that later calls can use, and drops those that have been idle for too long.
    pub(crate) fn keep(&self, worker: Worker) {
        let now = Instant::now();
        let mut idle = lock(&self.idle);
        idle.push((worker, now));
        // Idle workers are not polled, so their connections cannot notice that their idle timeout has passed.
        let fresh = idle.iter().position(|(_, since)| now - *since < default::IDLE_TIMEOUT);
        let surplus = idle.len().saturating_sub(MAX_IDLE);
        let dropped: Vec<_> = idle.drain(..fresh.unwrap_or_default().max(surplus)).collect();
        drop(idle);
        drop(dropped);
    }

    /// Since when the worker rests that has rested longest.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        lock(&self.idle).first().map(|(_, since)| *since)
    }

    /// Closes that worker. `false`: there is none.
    pub(crate) fn close_oldest(&self) -> bool {
        let mut idle = lock(&self.idle);
        let oldest = (!idle.is_empty()).then(|| idle.remove(0));
        drop(idle);
        oldest.is_some()
    }
}
