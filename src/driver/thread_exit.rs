//! Calls made when the calling thread's own storage is gone already, as in an atexit handler or in the destructor of a
//! static object: a runtime cannot be driven there. Such a call runs on a thread of its own, which ends before it returns.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;

use crate::driver::interrupt::{INTERRUPT_PERIOD, Interrupt};
use crate::error::Error;
use crate::lock::{lock, wait_until};
use crate::outcome::Outcome;
use crate::platform::signals::{CallersMask, with_all_blocked};
use crate::status::Status;

/// Runs `call` on another thread, while this one asks `interrupt` for it.
pub(crate) fn run(
    call: impl FnOnce(&mut dyn FnMut() -> bool) -> Outcome + Send,
    mut interrupt: Option<Interrupt<'_>>,
) -> Outcome {
    // As everywhere it is asked before anything is begun.
    let stop = AtomicBool::new(interrupt.as_mut().is_some_and(|interrupt| interrupt()));
    let (done, rung) = (Mutex::new(None), Condvar::new());
    let mask = CallersMask::current();
    let work = || {
        mask.adopt();
        let outcome = call(&mut || stop.load(Ordering::Relaxed));
        *lock(&done) = Some(outcome);
        rung.notify_one();
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("lambda-late".to_owned());
        let worker = match with_all_blocked(|| thread.spawn_scoped(scope, work)) {
            Ok(worker) => worker,
            Err(error) => {
                let message = format!("no thread could be started for a call this late in the program: {error}");
                return Outcome::refused(&Error::new(Status::NoMemory, message));
            }
        };
        if let Some(interrupt) = interrupt {
            let mut outcome = lock(&done);
            while outcome.is_none() && !worker.is_finished() {
                drop(outcome);
                if interrupt() {
                    stop.store(true, Ordering::Relaxed);
                }
                outcome = wait_until(&rung, lock(&done), std::time::Instant::now().checked_add(INTERRUPT_PERIOD));
            }
        }
        // A panic in there is one of this library's: it goes on to the boundary.
        if let Err(panic) = worker.join() {
            std::panic::resume_unwind(panic);
        }
        lock(&done).take().unwrap_or_else(|| Outcome::refused(&Error::new(Status::Internal, "the call had no outcome")))
    })
}
