//! How long a call may still wait, whatever it waits for.

use std::time::{Duration, Instant};

use crate::driver::caller::run_callers_code;
use crate::status::Status;

/// The host's interrupt is promised at least every 100 ms.
pub(crate) const INTERRUPT_PERIOD: Duration = Duration::from_millis(50);

/// Asked while a call waits; `true` ends the call.
pub(crate) type Interrupt<'a> = &'a mut dyn FnMut() -> bool;

/// The deadline of a call and the interrupt of its caller.
pub(crate) struct Deadline<'i> {
    deadline: Option<Instant>,
    interrupt: Option<Interrupt<'i>>,
}

impl<'i> Deadline<'i> {
    pub(crate) fn new(deadline: Option<Instant>, interrupt: Option<Interrupt<'i>>) -> Self {
        Self { deadline, interrupt }
    }

    /// When to ask [`Self::end`] again at the latest; `None`: never.
    pub(crate) fn until(&self) -> Option<Instant> {
        let tick = self.interrupt.as_ref().and_then(|_| Instant::now().checked_add(INTERRUPT_PERIOD));
        [self.deadline, tick].into_iter().flatten().min()
    }

    /// Whether the call must end now, and as what. Runs the host's code: no worker may run meanwhile.
    pub(crate) fn end(&mut self) -> Option<Status> {
        if self.deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Some(Status::Timeout);
        }
        let interrupt = self.interrupt.as_mut()?;
        run_callers_code(interrupt).then_some(Status::Cancelled)
    }
}
