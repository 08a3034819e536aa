//! A worker: a runtime and its connections, which one call at a time drives on its own thread.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::time::{Sleep, sleep_until};

use crate::config::proxy::Proxies;
use crate::driver::pool::Reusable;
use crate::driver::runtime::{GuardedRuntime, Pace};
use crate::error::Error;
use crate::http::transport::{ConnectorSettings, Transport};
use crate::platform::limits;
use crate::status::Status;

/// Later than any deadline, but within a timer's range.
pub(crate) const FOR_EVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// A worker has hardly more than one socket, and tokio would make room for 1,024 events. The interval is tokio's own.
const PACE: Pace = Pace { max_events: 16, event_interval: 61 };

pub(crate) struct Worker {
    /// Wakes the runtime when its work must be interrupted. It stays set from one call to the next: one that is early is
    /// set anew once it has gone off, which is cheaper than to set one for each call. Dropped before the runtime, whose
    /// descriptors it holds on to.
    alarm: Pin<Box<Sleep>>,
    runtime: GuardedRuntime,
    transport: Transport,
    /// When its last call ended. `None`: there was none, or a call is under way.
    idle_since: Option<Instant>,
}

/// Why a worker could not be made.
pub(crate) enum NoWorker {
    /// The process has no descriptor left for it.
    NoDescriptors(io::Error),
    Failed(Error),
}

impl Reusable for Box<Worker> {
    const CLOSES_LATER: bool = false;

    fn idle_since(&self) -> Option<Instant> {
        self.idle_since
    }
}

impl Worker {
    pub(crate) fn new(connector: ConnectorSettings, proxies: &Proxies) -> Result<Self, NoWorker> {
        let runtime = GuardedRuntime::new(&PACE).map_err(|error| match limits::is_out_of_descriptors(&error) {
            true => NoWorker::NoDescriptors(error),
            false => NoWorker::Failed(Error::new(Status::Connect, format!("no connection could be opened: {error}"))),
        })?;
        let (transport, alarm) =
            runtime.enter(|| (Transport::new(connector, proxies), Box::pin(sleep_until(Self::for_ever()))));
        Ok(Self { alarm, runtime, transport: transport.map_err(NoWorker::Failed)?, idle_since: None })
    }

    fn for_ever() -> tokio::time::Instant {
        tokio::time::Instant::now() + FOR_EVER
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Marks the begin of a call. Returns whether an earlier call used this worker.
    pub(crate) fn begin_call(&mut self) -> bool {
        self.idle_since.take().is_some()
    }

    /// Marks the end of a call whose connections later calls can use.
    pub(crate) fn end_call(&mut self, at: Instant) {
        self.idle_since = Some(at);
    }

    /// Drives `work` on this thread, at the latest until a time. `None`: the time has come.
    pub(crate) fn run<F: Future>(&mut self, work: F, until: Option<Instant>) -> Option<F::Output> {
        let Self { alarm, runtime, .. } = self;
        let barrier = runtime.barrier();
        let until = until.map_or_else(Self::for_ever, Into::into);
        let mut work = pin!(work);
        let driven = runtime.block_on(poll_fn(|context| {
            // A busy runtime does not park, so a waiting fork also proceeds between two polls.
            barrier.checkpoint();
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Some(done));
            }
            if until < alarm.deadline() {
                alarm.as_mut().reset(until);
            }
            while alarm.as_mut().poll(context).is_ready() {
                if until <= tokio::time::Instant::now() {
                    return Poll::Ready(None);
                }
                alarm.as_mut().reset(until);
            }
            Poll::Pending
        }));
        driven.flatten()
    }
}
