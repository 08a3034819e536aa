//! A barrier between fork and running workers. A fork copies the locks of every dependency as they are at that moment; so
//! while one is made, no worker runs: each is parked in its wait for sockets and timers. What little is locked around
//! that wait belongs to the parked worker alone, which the child leaves where it lies.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::platform::per_process::this_process;

/// All barriers of this process. Held by the forking thread for the time of a fork.
static BARRIERS: Mutex<Vec<Arc<ForkBarrier>>> = Mutex::new(Vec::new());
static FORKING: AtomicBool = AtomicBool::new(false);

/// One worker's side of it.
#[derive(Debug)]
pub(crate) struct ForkBarrier {
    process: u64,
    running: AtomicBool,
}

thread_local! {
    /// The barrier of the worker that runs on this thread, or null.
    static HERE: Cell<*const ForkBarrier> = const { Cell::new(ptr::null()) };
}

/// The worker runs while this lives.
pub(crate) struct Running<'a> {
    barrier: &'a ForkBarrier,
    outer: *const ForkBarrier,
    /// It is this thread that runs it.
    not_send: PhantomData<*const ()>,
}

/// A barrier that forks wait for while this lives.
pub(crate) struct Registered(Arc<ForkBarrier>);

impl ForkBarrier {
    /// Before the worker runs. Waits while another thread makes a fork.
    pub(crate) fn enter(&self) {
        loop {
            // SeqCst on both sides: either the forking thread sees `running`, or this thread sees FORKING.
            self.running.store(true, Ordering::SeqCst);
            if !FORKING.load(Ordering::SeqCst) || at_fork::is_under_way_here() {
                return;
            }
            self.running.store(false, Ordering::SeqCst);
            at_fork::with_barriers(|_| ());
        }
    }

    /// Lets a fork that waits go ahead, while the worker holds no lock.
    pub(crate) fn checkpoint(&self) {
        if FORKING.load(Ordering::Relaxed) {
            self.leave();
            self.enter();
        }
    }

    /// The worker runs no more: it is parked, or the host's code runs.
    pub(crate) fn leave(&self) {
        self.running.store(false, Ordering::SeqCst);
    }

    /// Enters, and leaves when the return is dropped.
    pub(crate) fn running(&self) -> Running<'_> {
        self.enter();
        Running { barrier: self, outer: HERE.replace(self), not_send: PhantomData }
    }

    /// Runs the host's code from inside a running worker. No fork waits for it: it may itself wait for a thread that
    /// forks, as one that needs Python's lock does.
    pub(crate) fn outside<T>(code: impl FnOnce() -> T) -> T {
        let here = HERE.replace(ptr::null());
        // SAFETY: a pointer in HERE is that of a Running on this thread's stack, which borrows its barrier and takes the
        // pointer out when it is dropped.
        let Some(barrier) = (unsafe { here.as_ref() }) else { return code() };
        barrier.leave();
        let result = code();
        barrier.enter();
        HERE.set(here);
        result
    }

    /// Runs `work` as if it were an worker's.
    pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> T {
        let barrier = Registered::new();
        let _running = barrier.running();
        work()
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        HERE.set(self.outer);
        self.barrier.leave();
    }
}

impl Registered {
    pub(crate) fn new() -> Self {
        at_fork::prepare_once();
        let barrier = Arc::new(ForkBarrier { process: this_process(), running: AtomicBool::new(false) });
        at_fork::with_barriers(|barriers| barriers.push(Arc::clone(&barrier)));
        Self(barrier)
    }

    pub(crate) fn barrier(&self) -> &Arc<ForkBarrier> {
        &self.0
    }
}

impl std::ops::Deref for Registered {
    type Target = ForkBarrier;

    fn deref(&self) -> &ForkBarrier {
        &self.0
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.leave();
        at_fork::with_barriers(|barriers| {
            if let Some(at) = barriers.iter().position(|barrier| Arc::ptr_eq(barrier, &self.0)) {
                barriers.swap_remove(at);
            }
        });
    }
}

#[cfg(unix)]
mod at_fork {
    use std::cell::UnsafeCell;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, MutexGuard, Once, TryLockError};
    use std::thread;
    use std::time::{Duration, Instant};

    use super::{BARRIERS, FORKING, ForkBarrier};
    use crate::lock::lock;
    use crate::platform::per_process::this_process;

    /// A fork does not wait longer: it may come from a signal handler inside a running worker, which would wait for
    /// itself.
    const PATIENCE: Duration = Duration::from_secs(1);

    type Barriers = Vec<Arc<ForkBarrier>>;

    /// What a forking thread holds from `before` to `in_parent` or `in_child`, which run on the same thread.
    struct Held {
        /// The thread, as pthread_self names it, in the child as in the parent; 0 for none. Not a thread-local: a thread may
        /// fork at its very end.
        by: AtomicUsize,
        barriers: UnsafeCell<Option<MutexGuard<'static, Barriers>>>,
    }

    // SAFETY: only the thread that `by` names touches `barriers`. It names a thread only while that thread holds the lock of
    // the barriers, so no other one can put its own name there meanwhile.
    unsafe impl Sync for Held {}

    static HELD: Held = Held { by: AtomicUsize::new(0), barriers: UnsafeCell::new(None) };

    impl Held {
        fn is_here(&self) -> bool {
            self.by.load(Ordering::Relaxed) == this_thread()
        }

        fn hold(&self, barriers: MutexGuard<'static, Barriers>) {
            self.by.store(this_thread(), Ordering::Relaxed);
            // SAFETY: this thread has the lock, and nobody else has a reference into the cell.
            unsafe { *self.barriers.get() = Some(barriers) };
        }

        /// Works on what this thread holds; gives `work` back where it holds nothing.
        fn with<T, W: FnOnce(&mut Barriers) -> T>(&self, work: W) -> Result<T, W> {
            if !self.is_here() {
                return Err(work);
            }
            // SAFETY: `by` names this thread, and `work` never comes back here.
            match unsafe { &mut *self.barriers.get() } {
                Some(barriers) => Ok(work(barriers)),
                None => Err(work),
            }
        }

        fn let_go(&self) {
            // SAFETY: `by` names this thread, see in_parent.
            let barriers = unsafe { (*self.barriers.get()).take() };
            self.by.store(0, Ordering::Relaxed);
            drop(barriers);
        }
    }

    fn this_thread() -> usize {
        // SAFETY: pthread_self has no precondition.
        unsafe { libc::pthread_self() as usize }
    }

    /// The handlers stay for the life of the process; the library is never unloaded (-z nodelete).
    pub(crate) extern "C" fn prepare_once() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            // SAFETY: the three are functions of this library, which is never unloaded. Without memory for the
            // registration forks have no barrier, as in a program that does not know of it.
            unsafe { libc::pthread_atfork(Some(before), Some(in_parent), Some(in_child)) };
        });
    }

    /// Registers when the library is loaded: before the host's own handlers, so that `before` is the last to run before
    /// a fork and `in_child` the first after it. A host's handler may then use the library.
    #[cfg(target_os = "linux")]
    #[used]
    #[unsafe(link_section = ".init_array")]
    static AT_LOAD: extern "C" fn() = prepare_once;

    /// Whether this very thread is between `before` and its counterpart: then a fork handler of the application runs.
    pub(super) fn is_under_way_here() -> bool {
        HELD.is_here()
    }

    /// Works on the barriers of this process, also from a fork handler of the application, while this thread holds them.
    pub(super) fn with_barriers<T>(work: impl FnOnce(&mut Barriers) -> T) -> T {
        HELD.with(work).unwrap_or_else(|work| work(&mut lock(&BARRIERS)))
    }

    extern "C" fn before() {
        let give_up = Instant::now() + PATIENCE;
        let barriers = loop {
            match BARRIERS.try_lock() {
                Ok(barriers) => break Some(barriers),
                Err(TryLockError::Poisoned(poisoned)) => break Some(poisoned.into_inner()),
                Err(TryLockError::WouldBlock) if Instant::now() > give_up => break None,
                Err(TryLockError::WouldBlock) => thread::yield_now(),
            }
        };
        let Some(barriers) = barriers else { return };
        FORKING.store(true, Ordering::SeqCst);
        for barrier in barriers.iter() {
            while barrier.running.load(Ordering::SeqCst) && Instant::now() < give_up {
                thread::yield_now();
            }
        }
        HELD.hold(barriers);
    }

    /// A thread whose own preparation gave up holds nothing, and leaves the barrier to the thread that forks meanwhile.
    extern "C" fn in_parent() {
        if HELD.is_here() {
            FORKING.store(false, Ordering::SeqCst);
            HELD.let_go();
        }
    }

    extern "C" fn in_child() {
        // The parent's workers are not driven here.
        let here = this_process();
        let _ = HELD.with(|barriers| barriers.retain(|barrier| barrier.process == here));
        in_parent();
    }
}

#[cfg(not(unix))]
mod at_fork {
    use std::sync::Arc;

    use super::{BARRIERS, ForkBarrier};
    use crate::lock::lock;

    /// Nothing forks here.
    pub(crate) fn prepare_once() {}

    pub(crate) fn is_under_way_here() -> bool {
        false
    }

    pub(crate) fn with_barriers<T>(work: impl FnOnce(&mut Vec<Arc<ForkBarrier>>) -> T) -> T {
        work(&mut lock(&BARRIERS))
    }
}
