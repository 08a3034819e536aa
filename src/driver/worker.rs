//! A worker: a runtime and its connections, which one call at a time drives on its own thread.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout_at;

use crate::config::proxy::Proxies;
use crate::driver::fork_barrier::{ForkBarrier, Registered};
use crate::error::Error;
use crate::http::transport::{ConnectorSettings, Transport};
use crate::platform::limits;
use crate::status::Status;

/// Later than any deadline, but within a timer's range.
const FOR_EVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

pub(crate) struct Worker {
    barrier: Registered,
    transport: Transport,
    /// `None` only while the worker is being dropped.
    runtime: Option<Runtime>,
    used_before: bool,
}

/// Why a worker could not be made.
pub(crate) enum NoWorker {
    /// The process has no descriptor left for it.
    NoDescriptors(io::Error),
    Failed(Error),
}

impl Worker {
    pub(crate) fn new(connector: ConnectorSettings, proxies: &Proxies) -> Result<Self, NoWorker> {
        let barrier = Registered::new();
        let running = barrier.running();
        let (transport, runtime) = Self::inside(barrier.barrier(), connector, proxies)?;
        drop(running);
        Ok(Self { barrier, transport, runtime: Some(runtime), used_before: false })
    }

    fn inside(
        barrier: &Arc<ForkBarrier>,
        connector: ConnectorSettings,
        proxies: &Proxies,
    ) -> Result<(Transport, Runtime), NoWorker> {
        // A fork may happen while the runtime is parked.
        let (parked, unparked) = (Arc::clone(barrier), Arc::clone(barrier));
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .on_thread_park(move || parked.leave())
            .on_thread_unpark(move || unparked.enter())
            .build()
            .map_err(|error| match limits::is_out_of_descriptors(&error) {
                true => NoWorker::NoDescriptors(error),
                false => {
                    NoWorker::Failed(Error::new(Status::Connect, format!("no connection could be opened: {error}")))
                }
            })?;
        Ok((Transport::new(connector, proxies).map_err(NoWorker::Failed)?, runtime))
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Marks the begin of a call. Returns whether an earlier call used this worker.
    pub(crate) fn begin_call(&mut self) -> bool {
        std::mem::replace(&mut self.used_before, true)
    }

    /// Drives `work` on this thread, at the latest until a time. `None`: the time has come.
    pub(crate) fn run<F: Future>(&mut self, work: F, until: Option<Instant>) -> Option<F::Output> {
        let until = until.map_or_else(|| tokio::time::Instant::now() + FOR_EVER, Into::into);
        let runtime = self.runtime.as_ref()?;
        let _running = self.barrier.running();
        let mut work = pin!(work);
        // A busy runtime does not park, so a waiting fork also proceeds between two polls.
        let let_forks_through = poll_fn(|context| {
            self.barrier.checkpoint();
            work.as_mut().poll(context)
        });
        runtime.block_on(async { timeout_at(until, let_forks_through).await.ok() })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _running = self.barrier.running();
        if let Some(runtime) = self.runtime.take() {
            // It has no other threads to wait for, and may be dropped inside another runtime, where waiting is not
            // allowed.
            runtime.shutdown_background();
        }
    }
}
