//! Permits limit how many calls of a client are under way at once. Further calls wait for one, first come, first served.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::driver::wait_queue::{Place, WaitQueue};
use crate::lock::lock;

/// The log says at most once in this time that calls wait.
const LOG_PERIOD: Duration = Duration::from_secs(60);

/// In [`Permits::under_way`]: calls wait, or did a moment ago. Then only who holds the queue's lock changes the number.
const WAITED_FOR: u32 = 1 << 31;

/// The permits of one client in one process. While no call waits, they are counted without a lock, for which the threads
/// of a busy program would fight.
pub(crate) struct Permits {
    max: u32,
    /// How many calls are under way, and [`WAITED_FOR`].
    under_way: AtomicU32,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: WaitQueue<Permit>,
    logged: Option<Instant>,
}

/// The right to have one call under way. Dropping it, on any thread, returns it.
pub(crate) struct Permit(Arc<Permits>);

impl Permits {
    pub(crate) fn new(max: u32) -> Arc<Self> {
        Arc::new(Self { max: max.min(WAITED_FOR - 1), under_way: AtomicU32::new(0), queue: Mutex::default() })
    }

    /// Returns how many calls may be under way at once.
    pub(crate) fn max(&self) -> u32 {
        self.max
    }

    /// Returns a permit if one is free and no call waits.
    pub(crate) fn try_acquire(self: &Arc<Self>) -> Option<Permit> {
        self.change(|under_way| (under_way < self.max).then(|| under_way + 1)).then(|| Permit(Arc::clone(self)))
    }

    /// Changes the number of calls under way, which has [`WAITED_FOR`] in it. Returns whether it was changed.
    fn change(&self, change: impl FnMut(u32) -> Option<u32>) -> bool {
        self.under_way.fetch_update(Ordering::AcqRel, Ordering::Acquire, change).is_ok()
    }

    /// Waits for a permit. Dropping the future earlier gives up its place in the queue.
    pub(crate) fn acquire(self: &Arc<Self>) -> Acquire {
        Acquire { permits: Arc::clone(self), place: None }
    }

    /// Returns whether a call that begins now waits, unless it has returned so in the last [`LOG_PERIOD`].
    pub(crate) fn begins_to_wait(&self) -> bool {
        if self.under_way.load(Ordering::Acquire) < self.max {
            return false;
        }
        let mut queue = lock(&self.queue);
        let is_new = queue.logged.is_none_or(|logged| logged.elapsed() >= LOG_PERIOD);
        if is_new {
            queue.logged = Some(Instant::now());
        }
        is_new
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let permits = &self.0;
        if permits.change(|under_way| (under_way & WAITED_FOR == 0).then(|| under_way - 1)) {
            return;
        }
        let mut queue = lock(&permits.queue);
        // If another call waits, then one ends and one begins: the number under way is unchanged.
        let woken = queue.waiting.grant(|| Self(Arc::clone(permits)));
        if woken.is_none() {
            permits.change(|under_way| Some((under_way & !WAITED_FOR) - 1));
        }
        drop(queue);
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
            if let Some(permit) = this.permits.try_acquire() {
                return Poll::Ready(permit);
            }
            let permits = &this.permits;
            let mut queue = lock(&permits.queue);
            let under_way = permits.under_way.fetch_or(WAITED_FOR, Ordering::AcqRel) & !WAITED_FOR;
            // The last permit may have been returned just before.
            if queue.waiting.is_empty() && under_way < permits.max {
                permits.change(|under_way| Some((under_way & !WAITED_FOR) + 1));
                return Poll::Ready(Permit(Arc::clone(permits)));
            }
            this.place = Some(queue.waiting.join_last());
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
            lock(&self.permits.queue).waiting.leave(place);
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
        assert_eq!(permits.under_way.load(Ordering::SeqCst), 0);
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
        assert!(lock(&permits.queue).waiting.is_empty());
        drop(first);
        assert_eq!(permits.under_way.load(Ordering::SeqCst), 0);
    }

    /// Threads that take, wait for and return permits at the same time never exceed the limit, and none waits for ever.
    #[test]
    fn many_threads_share_few_permits() {
        struct Unpark(std::thread::Thread);
        impl std::task::Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        const MAX: u32 = 2;
        let (permits, held) = (Permits::new(MAX), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
                    for round in 0..5_000 {
                        let mut acquire = Box::pin(permits.acquire());
                        let permit = loop {
                            match acquire.as_mut().poll(&mut Context::from_waker(&waker)) {
                                Poll::Ready(permit) => break Some(permit),
                                // Some give up.
                                Poll::Pending if round % 7 == 0 => break None,
                                Poll::Pending => std::thread::park(),
                            }
                        };
                        if permit.is_some() {
                            assert!(held.fetch_add(1, Ordering::SeqCst) < MAX);
                            std::thread::yield_now();
                            held.fetch_sub(1, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
        assert!(lock(&permits.queue).waiting.is_empty());
        assert!(permits.try_acquire().is_some() || poll(pin!(permits.acquire())).is_ready());
        assert_eq!(permits.under_way.load(Ordering::SeqCst), 0);
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
        lock(&permits.queue).logged = Instant::now().checked_sub(LOG_PERIOD);
        assert!(permits.begins_to_wait());
    }
}
