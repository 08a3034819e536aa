//! A call driven to its end on the caller's thread.

use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Handle;

use super::host::with_hosts_mask;
use super::late;
use super::patience::{Interrupt, Patience};
use super::pool::Pool;
use super::resolver::OperatingSystem;
use super::runtime::{Ended, Engine, NoEngine};
use super::signals::SigpipeBlocked;
use crate::core::call::{Call, Shared, Step};
use crate::core::error::Error;
use crate::core::invocation::Invocation;
use crate::core::outcome::{Outcome, Status};
use crate::core::settings::Settings;
use crate::core::transport::{Failure, FailureKind, Wiring};

/// Invokes and waits. Every failure is an outcome.
pub(crate) fn invoke(
    pool: &Pool,
    tls: &rustls::ClientConfig,
    shared: Shared<'_>,
    invocation: &Invocation,
    interrupt: Option<Interrupt<'_>>,
) -> Outcome {
    match Handle::try_current() {
        Ok(_) => Outcome::refused(&Error::argument(
            "invoke blocks, and was called from inside an asynchronous runtime: call it through spawn_blocking",
        )),
        Err(error) if error.is_thread_local_destroyed() => {
            late::run(|interrupt| drive(pool, tls, shared, invocation, Some(interrupt)), interrupt)
        }
        Err(_) => drive(pool, tls, shared, invocation, interrupt),
    }
}

fn drive(
    pool: &Pool,
    tls: &rustls::ClientConfig,
    shared: Shared<'_>,
    invocation: &Invocation,
    interrupt: Option<Interrupt<'_>>,
) -> Outcome {
    let started = Instant::now();
    let mut call = match Call::new(shared, invocation, started) {
        Ok(call) => call,
        Err(error) => return Outcome { duration: started.elapsed(), ..Outcome::refused(&error) },
    };
    let _signals = SigpipeBlocked::new();
    let mut patience = Patience::new(call.deadline(), interrupt);
    // Whoever has said stop already wants nothing sent.
    if let Some(status) = patience.end() {
        return call.end(status);
    }
    let turn = match pool.turn(&mut patience) {
        Ok(turn) => turn,
        Err(status) => return call.end(status),
    };
    loop {
        let failure = match engine(pool, shared.settings, tls) {
            Ok(mut engine) => match engine.run(&mut call, &mut patience) {
                Ended::Step(Step::Done(outcome)) => {
                    if is_fit_for_more(&outcome, &call) {
                        pool.keep(engine);
                    }
                    return outcome;
                }
                Ended::Early(status) => return call.end(status),
                Ended::Step(Step::NoDescriptors(failure)) => failure,
                Ended::Step(Step::AskHost(turn)) => {
                    pool.keep(engine);
                    call.take_keys(with_hosts_mask(|| turn.ask()));
                    match patience.end() {
                        Some(status) => return call.end(status),
                        None => continue,
                    }
                }
            },
            Err(NoEngine::Failed(error)) => return call.end_without_engine(&error),
            Err(NoEngine::NoDescriptors(error)) => Failure {
                kind: FailureKind::NoDescriptors,
                message: format!("no file descriptor was left for a connection: {error}"),
            },
        };
        match pool.wait_for_descriptors(&turn, &mut patience) {
            Ok(true) => {}
            Ok(false) => return call.end_without_descriptors(failure),
            Err(status) => return call.end(status),
        }
    }
}

fn engine(pool: &Pool, settings: &Settings, tls: &rustls::ClientConfig) -> Result<Engine, NoEngine> {
    let wiring =
        || Wiring { timeout: settings.connect_timeout.value, tls: tls.clone(), system: Arc::new(OperatingSystem) };
    pool.idle_engine().map_or_else(|| Engine::new(wiring(), &settings.proxies), Ok)
}

/// After an error of the connection, or with a request half sent or an answer half read, an engine is in the midst of it.
fn is_fit_for_more(outcome: &Outcome, call: &Call<'_>) -> bool {
    match outcome.status {
        Status::Ok | Status::FunctionError => true,
        Status::Service | Status::Throttled => !call.may_still_be_sending(),
        _ => false,
    }
}
