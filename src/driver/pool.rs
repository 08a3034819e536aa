//! Idle workers: what calls left behind for later ones.

use std::sync::Mutex;
use std::time::Instant;

use crate::config::config::default;
use crate::driver::worker::Worker;
use crate::lock::lock;

/// More workers than this are not kept for later calls.
const MAX_IDLE: usize = 16;

/// The idle workers of one client in one process.
#[derive(Default)]
pub(crate) struct Pool {
    /// Last used, first used again: the fewest connections stay open.
    idle: Mutex<Vec<(Worker, Instant)>>,
}

impl Pool {
    /// A worker that an earlier call left.
    pub(crate) fn take(&self) -> Option<Worker> {
        lock(&self.idle).pop().map(|(worker, _)| worker)
    }

    /// Keeps a worker that is fit for further calls.
    pub(crate) fn keep(&self, worker: Worker) {
        let now = Instant::now();
        let mut idle = lock(&self.idle);
        idle.push((worker, now));
        // Nobody polls idle workers, so their connections cannot notice that their time is over.
        let fresh = idle.iter().position(|(_, since)| now - *since < default::IDLE_TIMEOUT);
        let surplus = idle.len().saturating_sub(MAX_IDLE);
        let dropped: Vec<_> = idle.drain(..fresh.unwrap_or_default().max(surplus)).collect();
        drop(idle);
        drop(dropped);
    }
}
