//! Permits limit how many calls of a client are under way at once. Further calls wait for one, first come, first served.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::driver::wait_queue::{Place, WaitQueue};
use crate::lock::lock;

/// The log says at most once in this time that calls wait.
const LOG_PERIOD: Duration = Duration::from_secs(60);

/// The permits of one client in one process.
pub(crate) struct Permits {
    max: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    under_way: u32,
    waiting: WaitQueue<Permit>,
    logged: Option<Instant>,
}

/// The right to have one call under way. Dropping it, on any thread, returns it.
pub(crate) struct Permit(Arc<Permits>);

impl Permits {
    pub(crate) fn new(max: u32) -> Arc<Self> {
        Arc::new(Self { max, state: Mutex::default() })
    }

    /// Returns how many calls may be under way at once.
    pub(crate) fn max(&self) -> u32 {
        self.max
    }

    /// Waits for a permit. Dropping the future earlier gives up its place in the queue.
    pub(crate) fn acquire(self: &Arc<Self>) -> Acquire {
        Acquire { permits: Arc::clone(self), place: None }
    }

    /// Returns whether a call that begins now waits, unless it has returned so in the last [`LOG_PERIOD`].
    pub(crate) fn begins_to_wait(&self) -> bool {
        let mut state = lock(&self.state);
        let is_new = state.under_way >= self.max && state.logged.is_none_or(|logged| logged.elapsed() >= LOG_PERIOD);
        if is_new {
            state.logged = Some(Instant::now());
        }
        is_new
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        // If another call waits, then one ends and one begins: the number under way is unchanged.
        let woken = state.waiting.grant(|| Self(Arc::clone(&self.0)));
        if woken.is_none() {
            state.under_way -= 1;
        }
        drop(state);
        if let Some(Some(waker)) = woken {
            waker.wake();
        }
    }
}

/// Resolves to a permit.
pub(crate) struct Acquire {
    permits: Arc<Permits>,
    place: Option<Place<Permit>>,
}

impl Future for Acquire {
    type Output = Permit;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Permit> {
        let this = &mut *self;
        if this.place.is_none() {
            let mut state = lock(&this.permits.state);
            if state.under_way < this.permits.max {
                state.under_way += 1;
                return Poll::Ready(Permit(Arc::clone(&this.permits)));
            }
            this.place = Some(state.waiting.join_last());
        }
        match &this.place {
            Some(place) => place.poll(context),
            None => Poll::Pending,
        }
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        // If a permit was granted at the same moment, then dropping the place, after the lock, passes it to the next waiter.
        if let Some(place) = &self.place {
            lock(&self.permits.state).waiting.leave(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::Waker;

    use super::*;

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn permits_go_to_those_who_wait_in_their_order() {
        let permits = Permits::new(1);
        let Poll::Ready(first) = poll(pin!(permits.acquire())) else { panic!("the first permit is free") };
        let (mut second, mut third) = (Box::pin(permits.acquire()), Box::pin(permits.acquire()));
        assert!(poll(second.as_mut()).is_pending() && poll(third.as_mut()).is_pending());
        drop(first);
        assert!(poll(third.as_mut()).is_pending());
        let Poll::Ready(granted) = poll(second.as_mut()) else { panic!("the second is next in line") };
        drop(granted);
        assert!(poll(third.as_mut()).is_ready());
        assert_eq!(lock(&permits.state).under_way, 0);
    }

    #[test]
    fn a_permit_that_is_granted_to_a_waiter_who_left_goes_to_the_next() {
        let permits = Permits::new(1);
        let Poll::Ready(first) = poll(pin!(permits.acquire())) else { panic!("the first permit is free") };
        let (mut second, mut third) = (Box::pin(permits.acquire()), Box::pin(permits.acquire()));
        assert!(poll(second.as_mut()).is_pending() && poll(third.as_mut()).is_pending());
        drop(first);
        drop(second);
        assert!(poll(third.as_mut()).is_ready());
    }

    #[test]
    fn a_waiter_who_leaves_leaves_nothing_behind() {
        let permits = Permits::new(1);
        let Poll::Ready(first) = poll(pin!(permits.acquire())) else { panic!("the first permit is free") };
        let mut second = Box::pin(permits.acquire());
        assert!(poll(second.as_mut()).is_pending());
        drop(second);
        assert!(lock(&permits.state).waiting.is_empty());
        drop(first);
        assert_eq!(lock(&permits.state).under_way, 0);
    }

    #[test]
    fn a_panic_gives_a_permit_back() {
        let permits = Permits::new(1);
        let held = Arc::clone(&permits);
        let panicked = std::thread::spawn(move || {
            let Poll::Ready(_permit) = poll(pin!(held.acquire())) else { return };
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert!(poll(pin!(permits.acquire())).is_ready());
    }

    #[test]
    fn that_calls_wait_is_logged_once_in_a_period() {
        let permits = Permits::new(1);
        assert!(!permits.begins_to_wait());
        let Poll::Ready(_permit) = poll(pin!(permits.acquire())) else { panic!("the first permit is free") };
        assert!(permits.begins_to_wait());
        assert!(!permits.begins_to_wait());
        lock(&permits.state).logged = Instant::now().checked_sub(LOG_PERIOD);
        assert!(permits.begins_to_wait());
    }
}
