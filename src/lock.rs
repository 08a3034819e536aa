//! Locks that stay usable after a panic: what they guard is consistent between any two statements.

use std::sync::PoisonError;
use std::time::Instant;

// What tests/loom replaces by loom's.
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, atomic};
pub(crate) use std::{thread, thread_local};

/// Declares static variables. In a model each run has its own.
macro_rules! statics {
    ($($(#[$attribute:meta])* static $name:ident: $type:ty = $value:expr;)+) => {
        $($(#[$attribute])* static $name: $type = $value;)+
    };
}
pub(crate) use statics;

/// A cell for which the code around it excludes that two threads use it at once. In a model that is checked.
#[cfg_attr(not(unix), allow(dead_code, reason = "only the fork barrier uses it"))]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg_attr(not(unix), allow(dead_code, reason = "only the fork barrier uses it"))]
impl<T> UnsafeCell<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    pub(crate) fn with_mut<R>(&self, work: impl FnOnce(*mut T) -> R) -> R {
        work(self.0.get())
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for `condition`, until a time or forever. Spurious wake-ups are possible.
pub(crate) fn wait_until<'a, T>(
    condition: &Condvar,
    guard: MutexGuard<'a, T>,
    until: Option<Instant>,
) -> MutexGuard<'a, T> {
    match until {
        None => condition.wait(guard).unwrap_or_else(PoisonError::into_inner),
        Some(until) => {
            let left = until.saturating_duration_since(Instant::now());
            condition.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0
        }
    }
}

/// Lets other threads run. Returns `false` at once if `until` has come.
#[cfg_attr(not(unix), allow(dead_code, reason = "only the fork barrier uses it"))]
pub(crate) fn yield_until(until: Instant) -> bool {
    let waits = Instant::now() < until;
    if waits {
        thread::yield_now();
    }
    waits
}

/// Returns whether nothing of what the thread was to do is left.
pub(crate) fn has_ended<T>(thread: &thread::JoinHandle<T>) -> bool {
    thread.is_finished()
}
