//! A runtime for one thread at a time, during whose polls no other thread forks.

use std::future::Future;
use std::io;
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use crate::driver::fork_barrier::{ForkBarrier, Registered};

/// How much a runtime does at once.
pub(crate) struct Pace {
    /// How many events of its sockets it takes at once from the system.
    pub(crate) max_events: usize,
    /// How many polls later it looks for events again, if it has not run out of work before.
    pub(crate) event_interval: u32,
}

/// A runtime without threads. A fork may happen while it is parked.
pub(crate) struct GuardedRuntime {
    barrier: Registered,
    /// `None` only while it is being dropped.
    runtime: Option<Runtime>,
}

impl GuardedRuntime {
    pub(crate) fn new(pace: &Pace) -> io::Result<Self> {
        let barrier = Registered::new();
        let runtime = {
            let _running = barrier.running();
            let (parked, unparked) = (Arc::clone(barrier.barrier()), Arc::clone(barrier.barrier()));
            Builder::new_current_thread()
                .enable_io()
                .enable_time()
                .max_io_events_per_tick(pace.max_events)
                .event_interval(pace.event_interval)
                .on_thread_park(move || parked.leave())
                .on_thread_unpark(move || unparked.enter())
                .build()?
        };
        Ok(Self { barrier, runtime: Some(runtime) })
    }

    pub(crate) fn barrier(&self) -> &ForkBarrier {
        &self.barrier
    }

    /// Does in the context of the runtime what does not drive it.
    pub(crate) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        let _running = self.barrier.running();
        let _context = self.runtime.as_ref().map(Runtime::enter);
        work()
    }

    /// Drives `work` on this thread until it is done. `None`: the runtime is being dropped.
    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let runtime = self.runtime.as_ref()?;
        let _running = self.barrier.running();
        Some(runtime.block_on(work))
    }
}

impl Drop for GuardedRuntime {
    fn drop(&mut self) {
        let _running = self.barrier.running();
        if let Some(runtime) = self.runtime.take() {
            // It has no threads to wait for, and may be dropped inside another runtime, where waiting is not allowed.
            runtime.shutdown_background();
        }
    }
}
