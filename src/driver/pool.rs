//! Idle connections, which earlier calls left for later ones.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use crate::config::config::default;
use crate::lock::atomic::{AtomicU64, Ordering};
use crate::lock::{Mutex, lock};
use crate::status::Status;

/// What is idle for one client in one process: workers of its blocking calls, or its connections in the runtime of a queue.
/// They are as many as were in use at once, until their idle timeout.
pub(crate) struct Pool<C> {
    /// In the order of their last use. The last one used is the next one used, so that the fewest connections stay open.
    idle: Mutex<VecDeque<C>>,
    /// How often everything was closed.
    releases: AtomicU64,
}

/// What a pool keeps.
pub(crate) trait Reusable: Send {
    /// Whether its descriptors are closed by another thread, a moment after it is dropped.
    const CLOSES_LATER: bool;

    /// Returns when its last call ended.
    fn idle_since(&self) -> Option<Instant>;
}

/// A pool whose connections are closed by whoever runs out of descriptors.
pub(crate) trait IdleConnections: Send + Sync {
    /// Returns how many connections are idle.
    fn count(&self) -> usize;

    /// Returns since when the connection has been idle that has been so for longest.
    fn oldest(&self) -> Option<Instant>;

    /// Closes that connection.
    fn close_oldest(&self) -> Closed;
}

/// What came of closing an idle connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Closed {
    /// There was none.
    Nothing,
    /// Its descriptors are free.
    Now,
    /// Another thread frees its descriptors, a moment later.
    Later,
}

/// The hub that the connections of a pool belong to; it is gone when the hub has ended.
pub(crate) type Owner = Arc<()>;

/// Returns whether later calls can use a connection: not after an error of the connection, nor if its request was partly
/// sent or its response partly read.
pub(crate) fn can_be_reused(status: Status, may_still_be_sending: bool) -> bool {
    match status {
        Status::Ok | Status::FunctionError => true,
        Status::Service | Status::Throttled => !may_still_be_sending,
        _ => false,
    }
}

impl<C> Default for Pool<C> {
    fn default() -> Self {
        Self { idle: Mutex::default(), releases: AtomicU64::new(0) }
    }
}

impl<C: Reusable> Pool<C> {
    /// Takes what was used last. Closes what has been idle for too long: nobody polls an idle worker, so its connection
    /// cannot notice it.
    pub(crate) fn take(&self) -> Option<C> {
        let now = Instant::now();
        let mut idle = lock(&self.idle);
        let expired = remove_expired(&mut idle, now);
        let last = idle.pop_back();
        drop(idle);
        drop(expired);
        last
    }

    /// Keeps what later calls can use.
    pub(crate) fn keep(&self, connection: C) {
        lock(&self.idle).push_back(connection);
    }

    /// Returns how often everything was closed.
    pub(crate) fn releases(&self) -> u64 {
        self.releases.load(Ordering::Relaxed)
    }

    /// Keeps what is idle since everything had been closed so often. If that has happened again, it is closed now.
    pub(crate) fn keep_since(&self, releases: u64, connection: C) {
        let mut idle = lock(&self.idle);
        if self.releases() == releases {
            idle.push_back(connection);
            return;
        }
        drop(idle);
        drop(connection);
    }

    /// Closes what has been idle for too long.
    pub(crate) fn close_expired(&self, now: Instant) {
        let expired = remove_expired(&mut lock(&self.idle), now);
        drop(expired);
    }

    /// Closes what is idle now. What is in use is not affected.
    pub(crate) fn close_all(&self) {
        let mut idle = lock(&self.idle);
        self.releases.fetch_add(1, Ordering::Relaxed);
        let closed = std::mem::take(&mut *idle);
        drop(idle);
        drop(closed);
    }
}

impl<C: Reusable> IdleConnections for Pool<C> {
    fn count(&self) -> usize {
        lock(&self.idle).len()
    }

    fn oldest(&self) -> Option<Instant> {
        lock(&self.idle).front().and_then(Reusable::idle_since)
    }

    fn close_oldest(&self) -> Closed {
        let oldest = lock(&self.idle).pop_front();
        match (oldest, C::CLOSES_LATER) {
            (None, _) => Closed::Nothing,
            (Some(_), true) => Closed::Later,
            (Some(_), false) => Closed::Now,
        }
    }
}

/// Removes what has been idle for too long, to be closed when no lock is held.
fn remove_expired<C: Reusable>(idle: &mut VecDeque<C>, now: Instant) -> Vec<C> {
    let is_expired = |connection: &C| {
        connection.idle_since().is_some_and(|since| now.saturating_duration_since(since) >= default::IDLE_TIMEOUT)
    };
    let expired = idle.iter().take_while(|connection| is_expired(connection)).count();
    idle.drain(..expired).collect()
}
