//! A gate between fork and running engines. A fork copies the locks of every dependency as they are at that moment; so
//! while one is made, no engine runs: each is parked in its wait for sockets and timers. What little is locked around
//! that wait belongs to the parked engine alone, which the child leaves where it lies.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::fork::this_process;

/// All gates of this process. Held by the forking thread for the time of a fork.
static GATES: Mutex<Vec<Arc<Gate>>> = Mutex::new(Vec::new());
static FORKING: AtomicBool = AtomicBool::new(false);

/// One engine's side of it.
#[derive(Debug)]
pub(crate) struct Gate {
    process: u64,
    running: AtomicBool,
}

thread_local! {
    /// The gate of the engine that runs on this thread, or null.
    static HERE: Cell<*const Gate> = const { Cell::new(ptr::null()) };
}

/// The engine runs while this lives.
pub(super) struct Running<'a> {
    gate: &'a Gate,
    outer: *const Gate,
    /// It is this thread that runs it.
    not_send: PhantomData<*const ()>,
}

/// A gate that forks wait for while this lives.
pub(super) struct Registered(Arc<Gate>);

impl Gate {
    /// Before the engine runs. Waits while another thread makes a fork.
    pub(super) fn enter(&self) {
        loop {
            // SeqCst on both sides: either the forking thread sees `running`, or this thread sees FORKING.
            self.running.store(true, Ordering::SeqCst);
            if !FORKING.load(Ordering::SeqCst) || at_fork::is_under_way_here() {
                return;
            }
            self.running.store(false, Ordering::SeqCst);
            at_fork::with_gates(|_| ());
        }
    }

    /// The engine runs no more: it is parked, or the host's code runs.
    pub(super) fn leave(&self) {
        self.running.store(false, Ordering::SeqCst);
    }

    /// Enters, and leaves when the return is dropped.
    pub(super) fn running(&self) -> Running<'_> {
        self.enter();
        Running { gate: self, outer: HERE.replace(self), not_send: PhantomData }
    }

    /// Runs the host's code from inside a running engine. No fork waits for it: it may itself wait for a thread that
    /// forks, as one that needs Python's lock does.
    pub(super) fn outside<T>(code: impl FnOnce() -> T) -> T {
        let here = HERE.replace(ptr::null());
        // SAFETY: a pointer in HERE is that of a Running on this thread's stack, which borrows its gate and takes the
        // pointer out when it is dropped.
        let Some(gate) = (unsafe { here.as_ref() }) else { return code() };
        gate.leave();
        let result = code();
        gate.enter();
        HERE.set(here);
        result
    }

    /// Runs `work` as if it were an engine's.
    pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> T {
        let gate = Registered::new();
        let _running = gate.running();
        work()
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        HERE.set(self.outer);
        self.gate.leave();
    }
}

impl Registered {
    pub(super) fn new() -> Self {
        at_fork::prepare_once();
        let gate = Arc::new(Gate { process: this_process(), running: AtomicBool::new(false) });
        at_fork::with_gates(|gates| gates.push(Arc::clone(&gate)));
        Self(gate)
    }

    pub(super) fn gate(&self) -> &Arc<Gate> {
        &self.0
    }
}

impl std::ops::Deref for Registered {
    type Target = Gate;

    fn deref(&self) -> &Gate {
        &self.0
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.leave();
        at_fork::with_gates(|gates| {
            if let Some(at) = gates.iter().position(|gate| Arc::ptr_eq(gate, &self.0)) {
                gates.swap_remove(at);
            }
        });
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
    use crate::engine::fork::this_process;
    use crate::engine::lock::lock;

    /// A fork does not wait longer: it may come from a signal handler inside a running engine, which would wait for
    /// itself.
    const PATIENCE: Duration = Duration::from_secs(1);

    type Gates = Vec<Arc<Gate>>;

    thread_local! {
        /// From `before` to `in_parent` or `in_child`, which run on the same thread.
        static HELD: RefCell<Option<MutexGuard<'static, Gates>>> = const { RefCell::new(None) };
    }

    /// The handlers stay for the life of the process; the library is never unloaded (-z nodelete).
    pub(super) extern "C" fn prepare_once() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // SAFETY: the three are functions of this library, which is never unloaded. Without memory for the
            // registration forks have no gate, as in a program that does not know of it.
            unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
        });
    }

    /// Registers when the library is loaded: before the host's own handlers, so that `before` is the last to run before
    /// a fork and `in_child` the first after it. A host's handler may then use the library.
    #[cfg(target_os = "linux")]
    #[used]
    #[unsafe(link_section = ".init_array")]
    static AT_LOAD: extern "C" fn() = prepare_once;

    /// Whether this very thread is between `before` and its counterpart: then it is a host's fork handler that runs.
    pub(super) fn is_under_way_here() -> bool {
        HELD.try_with(|held| held.borrow().is_some()).unwrap_or(false)
    }

    /// Works on the gates of this process, also from a host's fork handler, while this thread holds them.
    pub(super) fn with_gates<T>(work: impl FnOnce(&mut Gates) -> T) -> T {
        if is_under_way_here() {
            return HELD.with_borrow_mut(|held| match held.as_mut() {
                Some(gates) => work(gates),
                None => work(&mut lock(&GATES)),
            });
        }
        work(&mut lock(&GATES))
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
                let here = this_process();
                gates.retain(|gate| gate.process == here);
            }
        });
        in_parent();
    }
}

#[cfg(not(unix))]
mod at_fork {
    use std::sync::Arc;

    use super::{GATES, Gate};
    use crate::engine::lock::lock;

    /// Nothing forks here.
    pub(super) fn prepare_once() {}

    pub(super) fn is_under_way_here() -> bool {
        false
    }

    pub(super) fn with_gates<T>(work: impl FnOnce(&mut Vec<Arc<Gate>>) -> T) -> T {
        work(&mut lock(&GATES))
    }
}
