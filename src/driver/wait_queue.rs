//! First come, first served. A waiter is a waker, so threads and tasks wait alike.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use crate::lock::{Mutex, lock};

/// Those who wait for a `T`, in their order. A `T` passes itself on when it is dropped, so none is lost with a waiter who left.
pub(crate) struct WaitQueue<T>(VecDeque<Slot<T>>);

type Slot<T> = Arc<Mutex<Waiting<T>>>;

struct Waiting<T> {
    /// How much it takes of what is waited for.
    takes: u32,
    granted: Option<T>,
    waker: Option<Waker>,
}

/// A place in the queue. Whoever drops it leaves the queue first, see [`WaitQueue::leave`].
pub(crate) struct Place<T>(Slot<T>);

impl<T> Default for WaitQueue<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

impl<T> WaitQueue<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn join_last(&mut self, takes: u32) -> Place<T> {
        let place = Place::new(takes);
        self.0.push_back(Arc::clone(&place.0));
        place
    }

    pub(crate) fn join_first(&mut self, takes: u32) -> Place<T> {
        let place = Place::new(takes);
        self.0.push_front(Arc::clone(&place.0));
        place
    }

    /// Returns how much the first takes.
    pub(crate) fn first_takes(&self) -> Option<u32> {
        self.0.front().map(|first| lock(first).takes)
    }

    pub(crate) fn is_first(&self, place: &Place<T>) -> bool {
        self.0.front().is_some_and(|first| Arc::ptr_eq(first, &place.0))
    }

    pub(crate) fn leave(&mut self, place: &Place<T>) {
        if let Some(at) = self.0.iter().position(|other| Arc::ptr_eq(other, &place.0)) {
            self.0.remove(at);
        }
    }

    /// Grants the first in the queue what `make` makes; gives the waker, to be woken when no lock is held. `None`: nobody waits.
    pub(crate) fn grant(&mut self, make: impl FnOnce() -> T) -> Option<Option<Waker>> {
        let first = self.0.pop_front()?;
        let mut first = lock(&first);
        first.granted = Some(make());
        Some(first.waker.take())
    }

    /// The waker of the first, who then polls without being granted anything.
    pub(crate) fn first_waker(&self) -> Option<Waker> {
        self.0.front().and_then(|first| lock(first).waker.take())
    }
}

impl<T> Place<T> {
    fn new(takes: u32) -> Self {
        Self(Arc::new(Mutex::new(Waiting { takes, granted: None, waker: None })))
    }

    /// What was granted, or `context` is woken when something is.
    pub(crate) fn poll(&self, context: &Context<'_>) -> Poll<T> {
        let mut waiting = lock(&self.0);
        match waiting.granted.take() {
            Some(granted) => Poll::Ready(granted),
            None => {
                waiting.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}
