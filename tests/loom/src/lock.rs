//! Loom's locks, atomics and threads in place of std's.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use atomic::{AtomicBool, Ordering};

pub(crate) use loom::sync::{Mutex, MutexGuard};
pub(crate) use loom::thread;

/// Declares static variables, of which each run of the model has its own.
macro_rules! statics {
    ($($(#[$attribute:meta])* static $name:ident: $type:ty = $value:expr;)+) => {
        loom::lazy_static! { $($(#[$attribute])* static ref $name: $type = $value;)+ }
    };
}
pub(crate) use statics;

macro_rules! looms_thread_local {
    ($(#[$attribute:meta])* static $name:ident: $type:ty = const { $value:expr };) => {
        loom::thread_local! { $(#[$attribute])* static $name: $type = $value }
    };
}
pub(crate) use looms_thread_local as thread_local;

/// Fails if two threads use it at once.
pub(crate) struct UnsafeCell<T>(loom::cell::UnsafeCell<T>);

impl<T> UnsafeCell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(loom::cell::UnsafeCell::new(value))
    }

    pub(crate) fn with_mut<R>(&self, work: impl FnOnce(*mut T) -> R) -> R {
        self.0.with_mut(work)
    }
}

pub(crate) mod atomic {
    use std::sync::OnceLock;

    pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence};

    /// An atomic pointer that a constant may contain, which loom's is not: loom's is made at the first use, which must
    /// come before other threads know the pointer.
    pub(crate) struct AtomicPtr<T> {
        first: *mut T,
        used: OnceLock<loom::sync::atomic::AtomicPtr<T>>,
    }

    impl<T> AtomicPtr<T> {
        pub(crate) const fn new(first: *mut T) -> Self {
            Self { first, used: OnceLock::new() }
        }

        fn used(&self) -> &loom::sync::atomic::AtomicPtr<T> {
            self.used.get_or_init(|| loom::sync::atomic::AtomicPtr::new(self.first))
        }

        pub(crate) fn load(&self, order: Ordering) -> *mut T {
            self.used().load(order)
        }

        pub(crate) fn compare_exchange(
            &self,
            present: *mut T,
            new: *mut T,
            success: Ordering,
            failure: Ordering,
        ) -> Result<*mut T, *mut T> {
            self.used().compare_exchange(present, new, success, failure)
        }

        pub(crate) fn get_mut(&mut self) -> &mut *mut T {
            if let Some(used) = self.used.get_mut() {
                self.first = used.with_mut(|pointer| *pointer);
            }
            &mut self.first
        }
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A condition variable whose waiters the model can wake without a reason.
pub(crate) struct Condvar(Arc<loom::sync::Condvar>);

loom::lazy_static! {
    /// Those of this run of the model.
    static ref CONDITIONS: std::sync::Mutex<Vec<Arc<loom::sync::Condvar>>> = std::sync::Mutex::default();
}

impl Condvar {
    pub(crate) fn new() -> Self {
        let condition = Arc::new(loom::sync::Condvar::new());
        CONDITIONS.lock().unwrap().push(Arc::clone(&condition));
        Self(condition)
    }

    pub(crate) fn notify_one(&self) {
        self.0.notify_one();
    }
}

/// Wakes every waiter, as if nothing had happened.
pub(crate) fn wake_spuriously() {
    let conditions = CONDITIONS.lock().unwrap().clone();
    conditions.iter().for_each(|condition| condition.notify_all());
}

/// Waits until `condition` is notified: no time passes in a model.
pub(crate) fn wait_until<'a, T>(
    condition: &Condvar,
    guard: MutexGuard<'a, T>,
    _until: Option<Instant>,
) -> MutexGuard<'a, T> {
    condition.0.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

loom::lazy_static! {
    static ref PATIENCE_IS_OVER: AtomicBool = AtomicBool::new(false);
}

/// Lets the waits that give up do so from now on, or waits for ever.
pub(crate) fn end_patience(is_over: bool) {
    PATIENCE_IS_OVER.store(is_over, Ordering::Relaxed);
}

/// Lets other threads run: no time passes in a model. Returns whether the wait goes on.
pub(crate) fn yield_until(_until: Instant) -> bool {
    let waits = !PATIENCE_IS_OVER.load(Ordering::Relaxed);
    if waits {
        thread::yield_now();
    }
    waits
}

/// Loom does not know it.
pub(crate) fn has_ended<T>(_thread: &thread::JoinHandle<T>) -> bool {
    false
}
