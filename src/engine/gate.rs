//! A gate between fork and running engines. A fork copies the locks of every dependency as they are at that moment; so
//! while one is made, no engine runs: each is parked in its wait for sockets and timers, where it holds no lock.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::lock::lock;

/// All gates of this process. Held by the forking thread for the time of a fork.
static GATES: Mutex<Vec<Arc<Gate>>> = Mutex::new(Vec::new());
static FORKING: AtomicBool = AtomicBool::new(false);

/// One engine's side of it.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    running: AtomicBool,
}

impl Gate {
    /// A gate that forks wait for from now on.
    pub(crate) fn new() -> Arc<Self> {
        at_fork::prepare_once();
        let gate = Arc::new(Self::default());
        lock(&GATES).push(Arc::clone(&gate));
        gate
    }

    /// Before the engine runs. Waits while a fork is made.
    pub(crate) fn enter(&self) {
        loop {
            // SeqCst on both sides: either the forking thread sees `running`, or this thread sees FORKING.
            self.running.store(true, Ordering::SeqCst);
            if !FORKING.load(Ordering::SeqCst) {
                return;
            }
            self.running.store(false, Ordering::SeqCst);
            drop(lock(&GATES));
        }
    }

    /// The engine runs no more: it is parked, or the host's code runs.
    pub(crate) fn leave(&self) {
        self.running.store(false, Ordering::SeqCst);
    }

    /// Forks need not wait for it any more.
    pub(crate) fn retire(self: &Arc<Self>) {
        self.leave();
        let mut gates = lock(&GATES);
        if let Some(at) = gates.iter().position(|gate| Arc::ptr_eq(gate, self)) {
            gates.swap_remove(at);
        }
    }

    /// Runs `work` as if it were an engine's.
    pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> T {
        let gate = Self::new();
        gate.enter();
        let done = work();
        gate.retire();
        done
    }
}

#[cfg(unix)]
mod at_fork {
    use std::cell::RefCell;
    use std::sync::atomic::Ordering;
    use std::sync::{Arc, MutexGuard, Once, TryLockError};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::{FORKING, GATES, Gate};

    /// A fork does not wait longer: it may come from a signal handler inside a running engine, which would wait for
    /// itself.
    const PATIENCE: Duration = Duration::from_secs(1);

    thread_local! {
        /// From `before` to `in_parent` or `in_child`, which run on the same thread.
        static HELD: RefCell<Option<MutexGuard<'static, Vec<Arc<Gate>>>>> = const { RefCell::new(None) };
    }

    /// The handlers stay for the life of the process; the library is never unloaded (-z nodelete).
    pub(super) fn prepare_once() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // SAFETY: the three are functions of this library, which is never unloaded. Without memory for the
            // registration forks have no gate, as in a program that does not know of it.
            unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
        });
    }

    extern "C" fn before() {
        let give_up = Instant::now() + PATIENCE;
        let gates = loop {
            match GATES.try_lock() {
                Ok(gates) => break Some(gates),
                Err(TryLockError::Poisoned(poisoned)) => break Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) if Instant::now() > give_up => break None,
                Err(TryLockError::WouldBlock) => thread::yield_now(),
            }
        };
        let Some(gates) = gates else { return };
        FORKING.store(true, Ordering::SeqCst);
        for gate in gates.iter() {
            while gate.running.load(Ordering::SeqCst) && Instant::now() < give_up {
                thread::yield_now();
            }
        }
        // At the end of a thread its thread-locals are gone: then nothing is held, and nobody waits for it.
        let _ = HELD.try_with(|held| *held.borrow_mut() = Some(gates));
    }

    extern "C" fn in_parent() {
        FORKING.store(false, Ordering::SeqCst);
        let _ = HELD.try_with(|held| held.borrow_mut().take());
    }

    extern "C" fn in_child() {
        let _ = HELD.try_with(|held| {
            if let Some(gates) = held.borrow_mut().as_mut() {
                // The parent's engines are not driven here.
                gates.clear();
            }
        });
        in_parent();
    }
}

#[cfg(not(unix))]
mod at_fork {
    /// Nothing forks here.
    pub(super) fn prepare_once() {}
}
