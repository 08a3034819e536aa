//! The interrupt of a call of the model. Its time has come as soon as the thread waits, once: no time passes in a model.

use std::time::Instant;

use crate::deadline::Deadline;
use crate::driver::caller::run_callers_code;

pub(crate) type Interrupt<'a> = &'a mut dyn FnMut() -> bool;

pub(crate) struct Interrupts<'i> {
    deadline: Deadline,
    interrupt: Option<Interrupt<'i>>,
    /// It was polled when the call began.
    has_begun: bool,
    next: Option<Instant>,
}

impl<'i> Interrupts<'i> {
    pub(crate) fn new(deadline: Deadline, interrupt: Option<Interrupt<'i>>) -> Self {
        let next = interrupt.as_ref().map(|_| Instant::now());
        Self { deadline, interrupt, has_begun: false, next }
    }

    pub(crate) fn tick(&mut self) -> Option<Instant> {
        self.next.take()
    }

    pub(crate) fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    pub(crate) fn poll(&mut self) {
        if std::mem::replace(&mut self.has_begun, true)
            && self.deadline.reached().is_none()
            && let Some(interrupt) = self.interrupt.as_mut()
            && run_callers_code(interrupt)
        {
            self.deadline.cancel();
        }
    }
}
