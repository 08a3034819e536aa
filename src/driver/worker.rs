//! An worker: a runtime and its connections, which one call at a time drives on its own thread.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use tokio::time::timeout_at;

use crate::call::{Call, Step};
use crate::config::proxy::Proxies;
use crate::driver::deadline::Deadline;
use crate::driver::fork_barrier::{ForkBarrier, Registered};
use crate::error::Error;
use crate::http::transport::{ConnectorSettings, Transport};
use crate::platform::limits;
use crate::status::Status;

/// Beyond any deadline; as far as a timer counts.
const FOR_EVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

pub(crate) struct Worker {
    barrier: Registered,
    /// `None` only while it is dropped.
    inside: Option<(Transport, Runtime)>,
    used_before: bool,
}

/// Why there is no worker.
pub(crate) enum NoWorker {
    /// The process has no descriptor left for it.
    NoDescriptors(io::Error),
    Failed(Error),
}

/// How a run on an worker ended.
#[expect(clippy::large_enum_variant, reason = "made and moved once a call")]
pub(crate) enum Ended<'a> {
    Step(Step<'a>),
    /// By the deadline or the caller: the worker is in the midst of something and of no further use.
    Early(Status),
}

impl Worker {
    pub(crate) fn new(connector: ConnectorSettings, proxies: &Proxies) -> Result<Self, NoWorker> {
        let barrier = Registered::new();
        let running = barrier.running();
        let inside = Self::inside(barrier.barrier(), connector, proxies)?;
        drop(running);
        Ok(Self { barrier, inside: Some(inside), used_before: false })
    }

    fn inside(
        barrier: &Arc<ForkBarrier>,
        connector: ConnectorSettings,
        proxies: &Proxies,
    ) -> Result<(Transport, Runtime), NoWorker> {
        // While the runtime is parked a fork may be made.
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

    /// Drives `call` on this thread until it is done, cannot go on, or must end.
    pub(crate) fn run<'a>(&mut self, call: &mut Call<'a>, deadline: &mut Deadline<'_>) -> Ended<'a> {
        let Some((transport, runtime)) = &self.inside else {
            return Ended::Early(Status::Internal);
        };
        let used_before = std::mem::replace(&mut self.used_before, true);
        let mut going = pin!(async {
            if used_before {
                // Nobody polled the connection since the last call: two turns let it notice that the server closed it.
                yield_now().await;
                yield_now().await;
            }
            call.run(transport).await
        });
        loop {
            let until = deadline.until().map_or_else(|| tokio::time::Instant::now() + FOR_EVER, Into::into);
            let running = self.barrier.running();
            let step = runtime.block_on(async { timeout_at(until, going.as_mut()).await });
            drop(running);
            if let Ok(step) = step {
                return Ended::Step(step);
            }
            if let Some(status) = deadline.end() {
                return Ended::Early(status);
            }
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _running = self.barrier.running();
        if let Some((transport, runtime)) = self.inside.take() {
            drop(transport);
            // It has no other threads to wait for, and may be dropped inside somebody else's runtime.
            runtime.shutdown_background();
        }
    }
}
