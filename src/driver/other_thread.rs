//! Calls whose own thread cannot drive a runtime. One is at its very end, as in an atexit handler or in the destructor of a
//! static object, where its thread-local storage has been destroyed. Another one belongs to a runtime of the application.
//! Such a call runs on another thread, which ends before the call returns.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;

use crate::driver::interrupt::{INTERRUPT_PERIOD, Interrupt};
use crate::error::Error;
use crate::lock::{lock, wait_until};
use crate::platform::signals::{CallersMask, with_all_blocked};
use crate::status::Status;

/// Stops the call when the interrupt panics, since the panic passes on only after the call has ended.
struct Stops<'s>(&'s AtomicBool);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Runs `call` on another thread, while this one polls `interrupt` for it. Fails if no thread could be started.
pub(crate) fn run<T: Send>(
    call: impl FnOnce(Option<Interrupt<'_>>) -> T + Send,
    mut interrupt: Option<Interrupt<'_>>,
) -> Result<T, Error> {
    // As in every call, the interrupt is polled before the call begins.
    let stop = AtomicBool::new(interrupt.as_mut().is_some_and(|interrupt| interrupt()));
    let is_interruptible = interrupt.is_some();
    let (done, rung) = (Mutex::new(None), Condvar::new());
    let mask = CallersMask::current();
    let work = || {
        mask.adopt();
        let mut is_stopped = || stop.load(Ordering::Relaxed);
        let outcome = call(if is_interruptible { Some(&mut is_stopped) } else { None });
        *lock(&done) = Some(outcome);
        rung.notify_one();
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("lambda-call".to_owned());
        let callee = match with_all_blocked(|| thread.spawn_scoped(scope, work)) {
            Ok(callee) => callee,
            Err(error) => {
                let message = format!("no thread could be started for a call that cannot run on its own one: {error}");
                return Err(Error::new(Status::NoMemory, message));
            }
        };
        if let Some(interrupt) = interrupt {
            let _stops = Stops(&stop);
            let mut outcome = lock(&done);
            while outcome.is_none() && !callee.is_finished() {
                outcome = wait_until(&rung, outcome, std::time::Instant::now().checked_add(INTERRUPT_PERIOD));
                if outcome.is_none() {
                    drop(outcome);
                    if interrupt() {
                        stop.store(true, Ordering::Relaxed);
                    }
                    outcome = lock(&done);
                }
            }
        }
        // A panic there is this library's own; it continues to the boundary of the C ABI.
        if let Err(panic) = callee.join() {
            std::panic::resume_unwind(panic);
        }
        lock(&done).take().ok_or_else(|| Error::new(Status::Internal, "the call had no outcome"))
    })
}
