//! A worker: a runtime and its connections, which one call at a time drives on its own thread.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};
use tokio::time::{Sleep, sleep_until};

use crate::config::proxy::Proxies;
use crate::driver::fork_barrier::{ForkBarrier, Registered};
use crate::driver::pool::Reusable;
use crate::error::Error;
use crate::http::transport::{ConnectorSettings, Transport};
use crate::platform::limits;
use crate::status::Status;

/// Later than any deadline, but within a timer's range.
pub(crate) const FOR_EVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

/// A worker has hardly more than one socket, and tokio would make room for 1,024 events. The interval is tokio's own.
const PACE: Pace = Pace { max_events: 16, event_interval: 61 };

pub(crate) struct Worker {
    barrier: Registered,
    transport: Transport,
    /// `None` only while the worker is being dropped.
    inside: Option<Inside>,
    /// When its last call ended. `None`: there was none, or a call is under way.
    idle_since: Option<Instant>,
}

struct Inside {
    /// Wakes the runtime when its work must be interrupted. It stays set from one call to the next: one that is early is
    /// set anew once it has gone off, which is cheaper than to set one for each call.
    alarm: Pin<Box<Sleep>>,
    runtime: Runtime,
}

/// Why a worker could not be made.
pub(crate) enum NoWorker {
    /// The process has no descriptor left for it.
    NoDescriptors(io::Error),
    Failed(Error),
}

/// How much a runtime does at once.
pub(crate) struct Pace {
    /// How many events of its sockets it takes at once from the system.
    pub(crate) max_events: usize,
    /// How many polls later it looks for events again, if it has not run out of work before.
    pub(crate) event_interval: u32,
}

/// Makes a runtime for one thread. A fork may happen while it is parked.
pub(crate) fn runtime(barrier: &Arc<ForkBarrier>, pace: &Pace) -> io::Result<Runtime> {
    let (parked, unparked) = (Arc::clone(barrier), Arc::clone(barrier));
    Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_io_events_per_tick(pace.max_events)
        .event_interval(pace.event_interval)
        .on_thread_park(move || parked.leave())
        .on_thread_unpark(move || unparked.enter())
        .build()
}

impl Reusable for Box<Worker> {
    const CLOSES_LATER: bool = false;

    fn idle_since(&self) -> Option<Instant> {
        self.idle_since
    }
}

impl Worker {
    pub(crate) fn new(connector: ConnectorSettings, proxies: &Proxies) -> Result<Self, NoWorker> {
        let barrier = Registered::new();
        let running = barrier.running();
        let (transport, inside) = Self::inside(barrier.barrier(), connector, proxies)?;
        drop(running);
        Ok(Self { barrier, transport, inside: Some(inside), idle_since: None })
    }

    fn inside(
        barrier: &Arc<ForkBarrier>,
        connector: ConnectorSettings,
        proxies: &Proxies,
    ) -> Result<(Transport, Inside), NoWorker> {
        let runtime = runtime(barrier, &PACE).map_err(|error| match limits::is_out_of_descriptors(&error) {
            true => NoWorker::NoDescriptors(error),
            false => NoWorker::Failed(Error::new(Status::Connect, format!("no connection could be opened: {error}"))),
        })?;
        let transport = Transport::new(connector, proxies).map_err(NoWorker::Failed)?;
        let alarm = {
            let _context = runtime.enter();
            Box::pin(sleep_until(Self::for_ever()))
        };
        Ok((transport, Inside { alarm, runtime }))
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
        let Inside { alarm, runtime } = self.inside.as_mut()?;
        let barrier = &self.barrier;
        let _running = barrier.running();
        let until = until.map_or_else(Self::for_ever, Into::into);
        let mut work = pin!(work);
        runtime.block_on(poll_fn(|context| {
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
        }))
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        let _running = self.barrier.running();
        if let Some(Inside { alarm, runtime }) = self.inside.take() {
            // It holds on to the runtime's descriptors.
            drop(alarm);
            // The runtime has no other threads to wait for, and may be dropped inside another runtime, where waiting is not
            // allowed.
            runtime.shutdown_background();
        }
    }
}
