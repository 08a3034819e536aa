//! The caller's interrupt, which is polled on the caller's own thread while a call waits, whatever the call waits for.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use crate::deadline::Deadline;
use crate::driver::caller::run_callers_code;
use crate::lock::{lock, wait_until};

/// How often the interrupt is polled: the header promises at least every 100 ms.
pub(crate) const INTERRUPT_PERIOD: Duration = Duration::from_millis(50);

/// Polled while a call waits; `true` ends the call.
pub(crate) type Interrupt<'a> = &'a mut dyn FnMut() -> bool;

/// What a thread inside a call checks while it waits: the deadline, the interrupt, and for how long it may wait at all.
pub(crate) struct Interrupts<'i> {
    deadline: Deadline,
    interrupt: Option<Interrupt<'i>>,
    limit: Option<Instant>,
}

impl<'i> Interrupts<'i> {
    pub(crate) fn new(deadline: Deadline, interrupt: Option<Interrupt<'i>>) -> Self {
        Self::limited(deadline, interrupt, None)
    }

    /// Makes the interrupts of a thread that waits until a time at most.
    pub(crate) fn limited(deadline: Deadline, interrupt: Option<Interrupt<'i>>, limit: Option<Instant>) -> Self {
        Self { deadline, interrupt, limit }
    }

    /// Returns when to poll the interrupt and the call again at the latest; `None`: never.
    pub(crate) fn until(&self) -> Option<Instant> {
        [self.deadline.at(), self.tick(), self.limit].into_iter().flatten().min()
    }

    /// Returns when to poll the interrupt again; `None`: never.
    pub(crate) fn tick(&self) -> Option<Instant> {
        self.interrupt.as_ref().and_then(|_| Instant::now().checked_add(INTERRUPT_PERIOD))
    }

    /// Returns whether the thread must wait no longer, although the call goes on.
    pub(crate) fn limit_is_over(&self) -> bool {
        self.deadline.reached().is_none() && self.limit.is_some_and(|limit| limit <= Instant::now())
    }

    /// The deadline of the call, which also cancels it.
    pub(crate) fn deadline(&self) -> &Deadline {
        &self.deadline
    }

    /// Polls the interrupt, and cancels the call if it returns `true`. No worker may run meanwhile.
    pub(crate) fn poll(&mut self) {
        if self.deadline.reached().is_none()
            && let Some(interrupt) = self.interrupt.as_mut()
            && run_callers_code(interrupt)
        {
            self.deadline.cancel();
        }
    }

    /// Blocks this thread until a future that needs no runtime is ready. Polls it when it is woken, and once every `period`
    /// if there is one. `None`: the call must end, or the limit has come.
    pub(crate) fn wait<F: Future>(&mut self, mut awaited: Pin<&mut F>, period: Option<Duration>) -> Option<F::Output> {
        // Most are ready at once.
        if let Poll::Ready(done) = awaited.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Some(done);
        }
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(Arc::clone(&bell));
        let deadline = self.deadline.clone();
        // A cancellation by another thread rings too.
        let mut bounded = pin!(deadline.bound(awaited));
        loop {
            if let Poll::Ready(ended) = bounded.as_mut().poll(&mut Context::from_waker(&waker)) {
                return ended.ok();
            }
            if self.limit_is_over() {
                return None;
            }
            let next_poll = period.and_then(|period| Instant::now().checked_add(period));
            if !bell.wait([self.until(), next_poll].into_iter().flatten().min()) {
                self.poll();
            }
        }
    }
}

/// Wakes a thread.
#[derive(Default)]
struct Bell {
    has_rung: Mutex<bool>,
    rung: Condvar,
}

impl Bell {
    /// Waits until it rings, at the latest until a time. Returns whether it rang.
    fn wait(&self, until: Option<Instant>) -> bool {
        let mut has_rung = lock(&self.has_rung);
        while !*has_rung && until.is_none_or(|until| Instant::now() < until) {
            has_rung = wait_until(&self.rung, has_rung, until);
        }
        std::mem::take(&mut has_rung)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *lock(&self.has_rung) = true;
        self.rung.notify_one();
    }
}
