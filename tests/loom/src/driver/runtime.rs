//! A runtime of the model, in which other threads do not fork while it is driven.

use std::future::Future;
use std::io;
use std::sync::Arc;

use crate::driver::fork_barrier::Registered;
use crate::executor::runtime::Runtime;

pub(crate) struct Pace {
    pub(crate) max_events: usize,
    pub(crate) event_interval: u32,
}

pub(crate) struct GuardedRuntime {
    barrier: Registered,
    runtime: Option<Runtime>,
}

impl GuardedRuntime {
    pub(crate) fn new(_: &Pace) -> io::Result<Self> {
        let barrier = Registered::new();
        let runtime = {
            let _running = barrier.running();
            Runtime::new(Arc::clone(barrier.barrier()))
        };
        Ok(Self { barrier, runtime: Some(runtime) })
    }

    pub(crate) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        let _running = self.barrier.running();
        self.runtime.as_ref().unwrap().enter(work)
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let _running = self.barrier.running();
        self.runtime.as_ref().map(|runtime| runtime.block_on(work))
    }
}

impl Drop for GuardedRuntime {
    fn drop(&mut self) {
        let _running = self.barrier.running();
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
