//! The deadline and the cancellation of a call, which end it whatever it waits for.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Instant;

use crate::lock::atomic::{AtomicBool, Ordering};
use crate::lock::{Mutex, lock};
use crate::status::Status;

/// The deadline of a call and its cancellation. Clones belong to the same call.
#[derive(Clone, Debug)]
pub(crate) struct Deadline {
    at: Option<Instant>,
    cancellation: Arc<Cancellation>,
}

#[derive(Debug, Default)]
struct Cancellation {
    is_cancelled: AtomicBool,
    /// The task that polls the call.
    waker: Mutex<Option<Waker>>,
}

impl Deadline {
    /// Makes a deadline. `None`: later than a clock can represent.
    pub(crate) fn new(at: Option<Instant>) -> Self {
        Self { at, cancellation: Arc::default() }
    }

    /// Returns the deadline of the same call at another time.
    pub(crate) fn moved_to(&self, at: Option<Instant>) -> Self {
        Self { at, cancellation: Arc::clone(&self.cancellation) }
    }

    pub(crate) fn at(&self) -> Option<Instant> {
        self.at
    }

    /// Ends the call with [`Status::Cancelled`], from any thread.
    pub(crate) fn cancel(&self) {
        self.cancellation.is_cancelled.store(true, Ordering::Release);
        let waker = lock(&self.cancellation.waker).take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancellation.is_cancelled.load(Ordering::Acquire)
    }

    /// Returns the status with which the call must end now, if it must.
    pub(crate) fn reached(&self) -> Option<Status> {
        if self.is_cancelled() {
            return Some(Status::Cancelled);
        }
        self.at.is_some_and(|at| at <= Instant::now()).then_some(Status::Timeout)
    }

    /// Awaits `work` until the call must end; returns the status with which the call ends if that is first. It has no
    /// timer, since it is also awaited where there is no runtime: the driver polls it again at the deadline.
    pub(crate) async fn bound<T>(&self, mut work: Pin<&mut impl Future<Output = T>>) -> Result<T, Status> {
        if let Some(status) = self.reached() {
            return Err(status);
        }
        let ended = poll_fn(|context| {
            if let Poll::Ready(done) = work.as_mut().poll(context) {
                return Poll::Ready(Ok(done));
            }
            let mut waker = lock(&self.cancellation.waker);
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                *waker = Some(context.waker().clone());
            }
            drop(waker);
            match self.reached() {
                Some(status) => Poll::Ready(Err(status)),
                None => Poll::Pending,
            }
        })
        .await;
        // A waker keeps its runtime's descriptors open, which others may wait for.
        let waker = lock(&self.cancellation.waker).take();
        drop(waker);
        ended
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};
    use std::pin::pin;
    use std::task::{Context, Wake};
    use std::time::Duration;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[test]
    fn cancelling_wakes_the_call_and_ends_it() {
        let deadline = Deadline::new(None);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let mut work = pin!(pending::<()>());
        let mut bound = pin!(deadline.bound(work.as_mut()));
        assert!(bound.as_mut().poll(&mut context).is_pending());
        deadline.clone().cancel();
        assert!(woken.0.load(Ordering::SeqCst));
        assert_eq!(bound.as_mut().poll(&mut context), Poll::Ready(Err(Status::Cancelled)));
    }

    #[test]
    fn a_call_that_is_over_holds_no_waker() {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let deadline = Deadline::new(None);
        let mut polls = 0;
        let mut work = poll_fn(|_| {
            polls += 1;
            if polls == 1 { Poll::Pending } else { Poll::Ready(()) }
        });
        let mut bound = pin!(deadline.bound(Pin::new(&mut work)));
        assert!(bound.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        assert!(bound.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
        drop(waker);
        assert_eq!(Arc::strong_count(&woken), 1);
    }

    #[test]
    fn nothing_begins_after_the_deadline() {
        let mut context = Context::from_waker(Waker::noop());
        let past = Deadline::new(Instant::now().checked_sub(Duration::from_millis(1)));
        assert_eq!(pin!(past.bound(pin!(ready(1)))).poll(&mut context), Poll::Ready(Err(Status::Timeout)));
        let future = Deadline::new(Instant::now().checked_add(Duration::from_secs(60)));
        assert_eq!(pin!(future.bound(pin!(ready(1)))).poll(&mut context), Poll::Ready(Ok(1)));
    }
}
