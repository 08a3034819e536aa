//! Permits limit how many calls of a client are under way at once. Further calls wait for one, first come, first
//! served. A waiter is a waker, so threads and tasks wait in the same way.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use crate::lock::lock;

/// The permits of one client in one process.
pub(crate) struct Permits {
    max: u32,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    under_way: u32,
    waiting: VecDeque<Arc<Mutex<Waiter>>>,
    /// The calls under way that wait because the process has no descriptor left.
    without_descriptors: Vec<Waker>,
    /// Counts the events that may have freed descriptors.
    released: u64,
}

#[derive(Default)]
struct Waiter {
    is_granted: bool,
    waker: Option<Waker>,
}

/// The right to have one call under way. Dropping it, on any thread, returns it.
pub(crate) struct Permit(Arc<Permits>);

impl Permits {
    pub(crate) fn new(max: u32) -> Arc<Self> {
        Arc::new(Self { max, state: Mutex::default() })
    }

    /// Waits for a permit. Dropping the future earlier gives up its place in the queue.
    pub(crate) fn acquire(self: &Arc<Self>) -> Acquire {
        Acquire { permits: Arc::clone(self), waiter: None }
    }

    /// Returns how many releases there have been, for [`Permit::descriptors`].
    pub(crate) fn released(&self) -> u64 {
        lock(&self.state).released
    }

    /// Wakes the calls that wait for descriptors, since some may have become free.
    pub(crate) fn announce_release(&self) {
        self.release(&mut lock(&self.state)).into_iter().for_each(Waker::wake);
    }

    fn release(&self, state: &mut State) -> Vec<Waker> {
        state.released += 1;
        std::mem::take(&mut state.without_descriptors)
    }
}

impl Permit {
    /// Waits until descriptors may have become free since [`Permits::released`] returned `seen`. Returns `false` if no
    /// other call of this client could free any.
    pub(crate) fn descriptors(&self, seen: u64) -> DescriptorsFreed<'_> {
        DescriptorsFreed { permits: &self.0, seen }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        let mut woken = self.0.release(&mut state);
        match state.waiting.pop_front() {
            // One call ends and another begins, so the number under way is unchanged.
            Some(next) => woken.extend(grant(&next)),
            None => state.under_way -= 1,
        }
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }
}

fn grant(waiter: &Mutex<Waiter>) -> Option<Waker> {
    let mut waiter = lock(waiter);
    waiter.is_granted = true;
    waiter.waker.take()
}

/// Resolves to a permit.
pub(crate) struct Acquire {
    permits: Arc<Permits>,
    waiter: Option<Arc<Mutex<Waiter>>>,
}

impl Future for Acquire {
    type Output = Permit;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Permit> {
        if let Some(waiter) = &self.waiter {
            let mut state = lock(waiter);
            if !state.is_granted {
                state.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
            state.is_granted = false;
        } else {
            let mut state = lock(&self.permits.state);
            if state.under_way >= self.permits.max {
                let waiter = Arc::new(Mutex::new(Waiter { is_granted: false, waker: Some(context.waker().clone()) }));
                state.waiting.push_back(Arc::clone(&waiter));
                drop(state);
                self.waiter = Some(waiter);
                return Poll::Pending;
            }
            state.under_way += 1;
        }
        self.waiter = None;
        Poll::Ready(Permit(Arc::clone(&self.permits)))
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        let Some(waiter) = self.waiter.take() else { return };
        lock(&self.permits.state).waiting.retain(|other| !Arc::ptr_eq(other, &waiter));
        let is_granted = lock(&waiter).is_granted;
        if is_granted {
            // It was granted at the same moment, and is passed to the next waiter.
            drop(Permit(Arc::clone(&self.permits)));
        }
    }
}

/// See [`Permit::descriptors`].
pub(crate) struct DescriptorsFreed<'p> {
    permits: &'p Permits,
    seen: u64,
}

impl Future for DescriptorsFreed<'_> {
    type Output = bool;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        let mut state = lock(&self.permits.state);
        if state.released != self.seen {
            return Poll::Ready(true);
        }
        state.without_descriptors.retain(|waker| !waker.will_wake(context.waker()));
        if state.without_descriptors.len() + 1 >= state.under_way as usize {
            // All other calls wait as well. The first one that gets `false` ends, which frees its descriptors.
            return Poll::Ready(false);
        }
        state.without_descriptors.push(context.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use super::*;

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn permits_are_granted_in_the_order_of_the_waiters() {
        let permits = Permits::new(1);
        let Poll::Ready(first) = poll(pin!(permits.acquire())) else { panic!("the first permit is free") };
        let (mut second, mut third) = (Box::pin(permits.acquire()), Box::pin(permits.acquire()));
        assert!(poll(second.as_mut()).is_pending() && poll(third.as_mut()).is_pending());
        drop(first);
        assert!(poll(third.as_mut()).is_pending());
        let Poll::Ready(granted) = poll(second.as_mut()) else { panic!("the second is the next waiter") };
        drop(granted);
        assert!(poll(third.as_mut()).is_ready());
        assert_eq!(lock(&permits.state).under_way, 0);
    }

    #[test]
    fn a_permit_granted_to_a_waiter_that_gave_up_goes_to_the_next() {
        let permits = Permits::new(1);
        let Poll::Ready(first) = poll(pin!(permits.acquire())) else { panic!("the first permit is free") };
        let (mut second, mut third) = (Box::pin(permits.acquire()), Box::pin(permits.acquire()));
        assert!(poll(second.as_mut()).is_pending() && poll(third.as_mut()).is_pending());
        drop(first);
        drop(second);
        assert!(poll(third.as_mut()).is_ready());
    }

    #[test]
    fn a_wait_for_descriptors_ends_at_a_release_and_when_no_other_call_is_left() {
        let permits = Permits::new(2);
        let Poll::Ready(one) = poll(pin!(permits.acquire())) else { panic!("there are two") };
        assert_eq!(poll(pin!(one.descriptors(permits.released()))), Poll::Ready(false));
        let Poll::Ready(other) = poll(pin!(permits.acquire())) else { panic!("there are two") };
        let mut waits = pin!(one.descriptors(permits.released()));
        assert!(poll(waits.as_mut()).is_pending());
        permits.announce_release();
        assert_eq!(poll(waits.as_mut()), Poll::Ready(true));
        let mut waits = pin!(one.descriptors(permits.released()));
        assert!(poll(waits.as_mut()).is_pending());
        drop(other);
        assert_eq!(poll(waits.as_mut()), Poll::Ready(true));
    }
}
