//! A call driven to its end on the caller's thread.

use std::sync::Arc;
use std::time::Instant;

use tokio::runtime::Handle;

use crate::call::{Call, Shared, Step};
use crate::config::settings::Settings;
use crate::driver::caller::run_callers_code;
use crate::driver::deadline::{Deadline, Interrupt};
use crate::driver::pool::Pool;
use crate::driver::thread_exit;
use crate::driver::worker::{Ended, NoWorker, Worker};
use crate::error::Error;
use crate::http::transport::{ConnectorSettings, Failure, FailureKind};
use crate::outcome::Outcome;
use crate::platform::native::Native;
use crate::platform::signals::SigpipeBlocked;
use crate::request::invocation::Invocation;
use crate::status::Status;

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
            thread_exit::run(|interrupt| drive(pool, tls, shared, invocation, Some(interrupt)), interrupt)
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
    let mut deadline = Deadline::new(call.deadline(), interrupt);
    // Whoever has said stop already wants nothing sent.
    if let Some(status) = deadline.end() {
        return call.end(status);
    }
    let permit = match pool.permit(&mut deadline) {
        Ok(permit) => permit,
        Err(status) => return call.end(status),
    };
    loop {
        let failure = match worker(pool, shared.settings, tls) {
            Ok(mut worker) => match worker.run(&mut call, &mut deadline) {
                Ended::Step(Step::Done(outcome)) => {
                    if is_fit_for_more(&outcome, &call) {
                        pool.keep(worker);
                    }
                    return outcome;
                }
                Ended::Early(status) => return call.end(status),
                Ended::Step(Step::NoDescriptors(failure)) => failure,
                Ended::Step(Step::AskCaller(permit)) => {
                    pool.keep(worker);
                    call.resume_with_credentials(run_callers_code(|| permit.ask()));
                    match deadline.end() {
                        Some(status) => return call.end(status),
                        None => continue,
                    }
                }
            },
            Err(NoWorker::Failed(error)) => return call.end_without_engine(&error),
            Err(NoWorker::NoDescriptors(error)) => Failure {
                kind: FailureKind::NoDescriptors,
                message: format!("no file descriptor was left for a connection: {error}"),
            },
        };
        match pool.wait_for_descriptors(&permit, &mut deadline) {
            Ok(true) => {}
            Ok(false) => return call.end_without_descriptors(failure),
            Err(status) => return call.end(status),
        }
    }
}

fn worker(pool: &Pool, settings: &Settings, tls: &rustls::ClientConfig) -> Result<Worker, NoWorker> {
    let connector =
        || ConnectorSettings { timeout: settings.connect_timeout.value, tls: tls.clone(), platform: Arc::new(Native) };
    pool.idle_engine().map_or_else(|| Worker::new(connector(), &settings.proxies), Ok)
}

/// After an error of the connection, or with a request half sent or an answer half read, an worker is in the midst of it.
fn is_fit_for_more(outcome: &Outcome, call: &Call<'_>) -> bool {
    match outcome.status {
        Status::Ok | Status::FunctionError => true,
        Status::Service | Status::Throttled => !call.may_still_be_sending(),
        _ => false,
    }
}
