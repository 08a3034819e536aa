//! A barrier between forks and running workers. A fork copies the locks of every dependency in their current state. So
//! no worker runs during a fork: each is parked in its wait for sockets and timers. The few locks that are held during
//! that wait belong to the parked worker alone, and the child leaves that worker untouched.

use std::cell::Cell;
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;

use crate::lock::atomic::{AtomicBool, Ordering, fence};
use crate::lock::{Mutex, statics, thread_local};
use crate::platform::per_process::this_process;

statics! {
    /// All barriers of this process. The forking thread holds the lock during a fork.
    static BARRIERS: Mutex<Vec<Arc<ForkBarrier>>> = Mutex::new(Vec::new());
    static FORKING: AtomicBool = AtomicBool::new(false);
}

/// The barrier of one worker.
#[derive(Debug)]
pub(crate) struct ForkBarrier {
    #[cfg_attr(not(unix), allow(dead_code, reason = "only a forked child looks at it"))]
    process: u64,
    running: AtomicBool,
}

thread_local! {
    /// The barrier of the worker that runs on this thread, or null.
    static HERE: Cell<*const ForkBarrier> = const { Cell::new(ptr::null()) };
}

/// Sets the barrier of the worker that runs on this thread, and returns the one before.
fn here(barrier: *const ForkBarrier) -> *const ForkBarrier {
    HERE.with(|here| here.replace(barrier))
}

/// Marks the worker as running while it lives.
pub(crate) struct Running<'a> {
    /// `None` inside another running worker: forks wait for that one.
    barrier: Option<&'a ForkBarrier>,
    /// It belongs to the thread that runs the worker.
    not_send: PhantomData<*const ()>,
}

/// Makes forks wait for a barrier while it lives.
pub(crate) struct Registered(Arc<ForkBarrier>);

impl ForkBarrier {
    /// Marks the worker as running. Waits while another thread forks.
    pub(crate) fn enter(&self) {
        loop {
            self.running.store(true, Ordering::Relaxed);
            // One here and one in `before`: either the forking thread sees `running`, or this thread sees FORKING.
            fence(Ordering::SeqCst);
            if !FORKING.load(Ordering::Acquire) || at_fork::is_under_way_here() {
                return;
            }
            self.leave();
            at_fork::with_barriers(|_| ());
        }
    }

    /// Lets a waiting fork proceed. Called while the worker holds no lock.
    pub(crate) fn checkpoint(&self) {
        if FORKING.load(Ordering::Relaxed) {
            self.leave();
            self.enter();
        }
    }

    /// Lets a waiting fork proceed, where the worker of this thread holds no lock.
    pub(crate) fn checkpoint_here() {
        if FORKING.load(Ordering::Relaxed) {
            Self::outside(|| ());
        }
    }

    /// Returns whether this thread forks: then it is in a fork handler of the application, and workers of other threads wait
    /// for the end of the fork.
    pub(crate) fn this_thread_forks() -> bool {
        at_fork::is_under_way_here()
    }

    /// Marks the worker as not running: it is parked, or the caller's code runs.
    pub(crate) fn leave(&self) {
        self.running.store(false, Ordering::Release);
    }

    /// Enters the barrier, and leaves it when the returned value is dropped.
    pub(crate) fn running(&self) -> Running<'_> {
        // Inside another running worker it would wait for the end of a fork that waits for that one.
        let barrier = if Self::is_inside() { None } else { Some(self) };
        if let Some(barrier) = barrier {
            barrier.enter();
            here(barrier);
        }
        Running { barrier, not_send: PhantomData }
    }

    /// Returns whether a worker runs on this thread.
    fn is_inside() -> bool {
        HERE.with(|here| !here.get().is_null())
    }

    /// Runs the caller's code inside a running worker. No fork waits for that code, since it may itself wait for a
    /// thread that forks, as code that needs Python's global interpreter lock may.
    pub(crate) fn outside<T>(code: impl FnOnce() -> T) -> T {
        let outer = here(ptr::null());
        // SAFETY: a pointer in HERE comes from a Running on this thread's stack, which borrows its barrier and removes
        // the pointer when it is dropped.
        let Some(barrier) = (unsafe { outer.as_ref() }) else { return code() };
        barrier.leave();
        let result = code();
        barrier.enter();
        here(outer);
        result
    }

    /// Runs `work` as if a worker ran it.
    pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> T {
        let barrier = Registered::new();
        let _running = barrier.running();
        work()
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if let Some(barrier) = self.barrier {
            here(ptr::null());
            barrier.leave();
        }
    }
}

impl Registered {
    pub(crate) fn new() -> Self {
        at_fork::prepare_once();
        let barrier = Arc::new(ForkBarrier { process: this_process(), running: AtomicBool::new(false) });
        // A worker that makes another one holds no lock then, as when it drops one.
        ForkBarrier::outside(|| at_fork::with_barriers(|barriers| barriers.push(Arc::clone(&barrier))));
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
        ForkBarrier::outside(|| {
            at_fork::with_barriers(|barriers| {
                if let Some(at) = barriers.iter().position(|barrier| Arc::ptr_eq(barrier, &self.0)) {
                    barriers.swap_remove(at);
                }
            });
        });
    }
}

#[cfg(unix)]
mod at_fork {
    use std::sync::{Arc, Once, TryLockError};
    use std::time::{Duration, Instant};

    use super::{BARRIERS, FORKING, ForkBarrier};
    use crate::lock::atomic::{AtomicUsize, Ordering, fence};
    use crate::lock::{MutexGuard, UnsafeCell, lock, statics, yield_until};
    use crate::platform::at_fork::{register, this_thread};
    use crate::platform::per_process::this_process;

    /// The longest that a fork waits. A signal handler that forks inside a running worker would otherwise wait for
    /// itself forever.
    const MAX_WAIT: Duration = Duration::from_secs(1);

    type Barriers = Vec<Arc<ForkBarrier>>;

    /// What the forking thread holds from `before` to `in_parent` or `in_child`, which run on the same thread.
    struct Held {
        /// The thread, or 0 for none. Not a thread-local, since a thread may fork at its very end.
        by: AtomicUsize,
        barriers: UnsafeCell<Option<MutexGuard<'static, Barriers>>>,
    }

    // SAFETY: only the thread in `by` accesses `barriers`. `by` contains a thread only while that thread holds the lock
    // of the barriers, so no other thread can store itself there meanwhile.
    unsafe impl Sync for Held {}

    statics! {
        static HELD: Held = Held { by: AtomicUsize::new(0), barriers: UnsafeCell::new(None) };
    }

    impl Held {
        fn is_here(&self) -> bool {
            self.by.load(Ordering::Relaxed) == this_thread()
        }

        fn hold(&self, barriers: MutexGuard<'static, Barriers>) {
            self.by.store(this_thread(), Ordering::Relaxed);
            // SAFETY: this thread has the lock, and there is no other reference into the cell.
            self.barriers.with_mut(|held| unsafe { *held = Some(barriers) });
        }

        /// Runs `work` on the barriers that this thread holds. Returns `work` if this thread holds none.
        fn with<T, W: FnOnce(&mut Barriers) -> T>(&self, work: W) -> Result<T, W> {
            if !self.is_here() {
                return Err(work);
            }
            // SAFETY: `by` is this thread, and `work` never calls this function.
            self.barriers.with_mut(|held| match unsafe { &mut *held } {
                Some(barriers) => Ok(work(barriers)),
                None => Err(work),
            })
        }

        fn let_go(&self) {
            // SAFETY: `by` is this thread, see in_parent.
            let barriers = self.barriers.with_mut(|held| unsafe { (*held).take() });
            self.by.store(0, Ordering::Relaxed);
            drop(barriers);
        }
    }

    /// Registers the handlers, for the life of the process; the library is never unloaded (-z nodelete).
    pub(crate) extern "C" fn prepare_once() {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| register(before, in_parent, in_child));
    }

    /// Registers the handlers when the library is loaded, before those of the application. So `before` is the last to
    /// run before a fork and `in_child` the first after it, and the application's handlers may use the library.
    #[cfg(target_os = "linux")]
    #[used]
    #[unsafe(link_section = ".init_array")]
    static AT_LOAD: extern "C" fn() = prepare_once;

    /// Returns whether this thread is between `before` and its counterpart: then a fork handler of the application
    /// runs.
    pub(super) fn is_under_way_here() -> bool {
        HELD.is_here()
    }

    /// Runs `work` on the barriers of this process, even in a fork handler of the application, while this thread holds
    /// the lock.
    pub(super) fn with_barriers<T>(work: impl FnOnce(&mut Barriers) -> T) -> T {
        HELD.with(work).unwrap_or_else(|work| work(&mut lock(&BARRIERS)))
    }

    pub(super) extern "C" fn before() {
        let give_up = Instant::now() + MAX_WAIT;
        let barriers = loop {
            match BARRIERS.try_lock() {
                Ok(barriers) => break barriers,
                Err(TryLockError::Poisoned(poisoned)) => break poisoned.into_inner(),
                Err(TryLockError::WouldBlock) if yield_until(give_up) => {}
                Err(TryLockError::WouldBlock) => return,
            }
        };
        FORKING.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        for barrier in barriers.iter() {
            while barrier.running.load(Ordering::Acquire) {
                if !yield_until(give_up) {
                    break;
                }
            }
        }
        HELD.hold(barriers);
    }

    /// A thread whose `before` gave up holds nothing, and leaves the barrier to the thread that forks at the same time.
    pub(super) extern "C" fn in_parent() {
        if HELD.is_here() {
            FORKING.store(false, Ordering::Release);
            HELD.let_go();
        }
    }

    extern "C" fn in_child() {
        // The parent's workers are not driven in the child.
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

    /// This system has no fork.
    pub(crate) fn prepare_once() {}

    pub(crate) fn is_under_way_here() -> bool {
        false
    }

    pub(crate) fn with_barriers<T>(work: impl FnOnce(&mut Vec<Arc<ForkBarrier>>) -> T) -> T {
        work(&mut lock(&BARRIERS))
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::lock::lock;

    /// One fork at a time.
    static TURN: Mutex<()> = Mutex::new(());

    /// As in the runtime of a queue, which closes the workers of blocking calls for their descriptors.
    #[test]
    fn a_worker_that_is_made_used_and_dropped_inside_another_one_does_not_delay_a_fork() {
        let _turn = lock(&TURN);
        let uses: [fn(Registered); 3] =
            [drop, |inner| drop(inner.running()), |_| ForkBarrier::guarded(|| assert!(ForkBarrier::is_inside()))];
        for use_inside in uses {
            let (outer, inner) = (Registered::new(), Registered::new());
            let running = outer.running();
            let fork = std::thread::spawn(|| {
                let began = Instant::now();
                at_fork::before();
                let took = began.elapsed();
                at_fork::in_parent();
                took
            });
            while !FORKING.load(Ordering::SeqCst) {
                std::thread::yield_now();
            }
            use_inside(inner);
            drop(running);
            let took = fork.join().unwrap();
            assert!(took < Duration::from_millis(500), "{took:?}");
        }
    }

    /// A thread whose own preparation gives up, since another thread forks for longer, leaves that thread's fork alone.
    #[test]
    fn a_fork_that_gave_up_does_not_end_another_threads_fork() {
        let _turn = lock(&TURN);
        let barriers = lock(&BARRIERS);
        FORKING.store(true, Ordering::SeqCst);
        std::thread::spawn(|| {
            at_fork::before();
            at_fork::in_parent();
        })
        .join()
        .unwrap();
        let is_forking = FORKING.swap(false, Ordering::SeqCst);
        drop(barriers);
        assert!(is_forking);
    }
}
