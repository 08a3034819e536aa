//! An engine: a runtime and its connections, which one call at a time drives on its own thread.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;
use tokio::time::timeout_at;

use super::gate::{Gate, Registered};
use super::limits;
use super::patience::Patience;
use crate::core::call::{Call, Step};
use crate::core::error::Error;
use crate::core::outcome::Status;
use crate::core::proxy::Proxies;
use crate::core::transport::{Transport, Wiring};

/// Beyond any deadline; as far as a timer counts.
const FOR_EVER: Duration = Duration::from_secs(60 * 60 * 24 * 365);

pub(super) struct Engine {
    gate: Registered,
    /// `None` only while it is dropped.
    inside: Option<(Transport, Runtime)>,
    used_before: bool,
}

/// Why there is no engine.
pub(super) enum NoEngine {
    /// The process has no descriptor left for it.
    NoDescriptors(io::Error),
    Failed(Error),
}

/// How a run on an engine ended.
#[expect(clippy::large_enum_variant, reason = "made and moved once a call")]
pub(super) enum Ended<'a> {
    Step(Step<'a>),
    /// By the deadline or the caller: the engine is in the midst of something and of no further use.
    Early(Status),
}

impl Engine {
    pub(super) fn new(wiring: Wiring, proxies: &Proxies) -> Result<Self, NoEngine> {
        let gate = Registered::new();
        let running = gate.running();
        let inside = Self::inside(gate.gate(), wiring, proxies)?;
        drop(running);
        Ok(Self { gate, inside: Some(inside), used_before: false })
    }

    fn inside(gate: &Arc<Gate>, wiring: Wiring, proxies: &Proxies) -> Result<(Transport, Runtime), NoEngine> {
        // While the runtime is parked a fork may be made.
        let (parked, unparked) = (Arc::clone(gate), Arc::clone(gate));
        let runtime = Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .on_thread_park(move || parked.leave())
            .on_thread_unpark(move || unparked.enter())
            .build()
            .map_err(|error| match limits::is_out_of_descriptors(&error) {
                true => NoEngine::NoDescriptors(error),
                false => {
                    NoEngine::Failed(Error::new(Status::Connect, format!("no connection could be opened: {error}")))
                }
            })?;
        Ok((Transport::new(wiring, proxies).map_err(NoEngine::Failed)?, runtime))
    }

    /// Drives `call` on this thread until it is done, cannot go on, or must end.
    pub(super) fn run<'a>(&mut self, call: &mut Call<'a>, patience: &mut Patience<'_>) -> Ended<'a> {
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
            let until = patience.until().map_or_else(|| tokio::time::Instant::now() + FOR_EVER, Into::into);
            let running = self.gate.running();
            let step = runtime.block_on(async { timeout_at(until, going.as_mut()).await });
            drop(running);
            if let Ok(step) = step {
                return Ended::Step(step);
            }
            if let Some(status) = patience.end() {
                return Ended::Early(status);
            }
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let _running = self.gate.running();
        if let Some((transport, runtime)) = self.inside.take() {
            drop(transport);
            // It has no other threads to wait for, and may be dropped inside somebody else's runtime.
            runtime.shutdown_background();
        }
    }
}
