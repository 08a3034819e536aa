//! Permits limit how many calls of a client are under way at once. Further calls wait for one, first come, first served.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::driver::wait_queue::{Place, WaitQueue};
use crate::lock::atomic::{AtomicU32, Ordering};
use crate::lock::{Mutex, lock};

/// How many calls of a runtime begin before those under way in it proceed.
pub(crate) const BEGUN_AT_ONCE: usize = 16;

/// The log says at most once in this time that calls wait.
const LOG_PERIOD: Duration = Duration::from_secs(60);

/// In [`Permits::taken`]: calls wait. Then only who holds the queue's lock changes the number.
const WAITED_FOR: u32 = 1 << 31;

/// The permits of one client in one process. While no call waits, they are counted without a lock, for which the threads
/// of a busy program would fight.
pub(crate) struct Permits {
    max: u32,
    /// What a blocking call takes of the maximum; a call of a queue takes 1.
    of_a_blocking_call: u32,
    /// What the calls under way take, and [`WAITED_FOR`].
    taken: AtomicU32,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: WaitQueue<Permit>,
    logged: Option<Instant>,
}

/// Who drives a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CallKind {
    Blocking,
    Queued,
}

/// The right to have one call under way. Dropping it, on any thread, returns it.
pub(crate) struct Permit {
    permits: Arc<Permits>,
    takes: u32,
}

impl Permits {
    /// Makes permits for `max` calls.
    pub(crate) fn for_calls(max: u32) -> Arc<Self> {
        Self::new(max, 1)
    }

    /// Makes permits for so many blocking calls, of which each takes so many descriptors, or for as many calls of a queue as
    /// take the same number of descriptors in all.
    pub(crate) fn by_descriptors(blocking_calls: u32, descriptors: u32) -> Arc<Self> {
        Self::new(blocking_calls.saturating_mul(descriptors), descriptors)
    }

    fn new(max: u32, of_a_blocking_call: u32) -> Arc<Self> {
        let max = max.min(WAITED_FOR - 1);
        Arc::new(Self { max, of_a_blocking_call, taken: AtomicU32::new(0), queue: Mutex::default() })
    }

    /// Returns how many calls of one kind may be under way at once.
    pub(crate) fn max(&self, kind: CallKind) -> u32 {
        self.max / self.takes(kind)
    }

    /// Returns whether the calls under way and so many idle connections are more than calls may be under way. Where descriptors
    /// are counted, these tell.
    pub(crate) fn are_exceeded_with(&self, idle: usize) -> bool {
        let under_way = self.taken.load(Ordering::Acquire) & !WAITED_FOR;
        let allowed = usize::try_from(self.max.saturating_sub(under_way)).unwrap_or(usize::MAX);
        self.of_a_blocking_call == 1 && idle > allowed
    }

    /// Returns a permit if one is free and no call waits.
    pub(crate) fn try_acquire(self: &Arc<Self>, kind: CallKind) -> Option<Permit> {
        let takes = self.takes(kind);
        self.change(|taken| Some(taken.saturating_add(takes)).filter(|taken| *taken <= self.max))
            .then(|| self.permit(takes))
    }

    /// Waits for a permit. Dropping the future earlier gives up its place in the queue.
    pub(crate) fn acquire(self: &Arc<Self>, kind: CallKind) -> Acquire {
        Acquire { permits: Arc::clone(self), kind, place: None }
    }

    /// Returns whether a call that begins now waits, unless it has returned so in the last [`LOG_PERIOD`].
    pub(crate) fn begins_to_wait(&self, kind: CallKind) -> bool {
        if self.taken.load(Ordering::Acquire).saturating_add(self.takes(kind)) <= self.max {
            return false;
        }
        let mut queue = lock(&self.queue);
        let is_new = queue.logged.is_none_or(|logged| logged.elapsed() >= LOG_PERIOD);
        if is_new {
            queue.logged = Some(Instant::now());
        }
        is_new
    }

    fn takes(&self, kind: CallKind) -> u32 {
        match kind {
            CallKind::Blocking => self.of_a_blocking_call,
            CallKind::Queued => 1,
        }
    }

    fn permit(self: &Arc<Self>, takes: u32) -> Permit {
        Permit { permits: Arc::clone(self), takes }
    }

    /// Changes what is taken, which has [`WAITED_FOR`] in it. Returns whether it was changed.
    fn change(&self, change: impl FnMut(u32) -> Option<u32>) -> bool {
        self.taken.fetch_update(Ordering::AcqRel, Ordering::Acquire, change).is_ok()
    }

    /// Changes the queue under its lock, takes back what is returned, and grants permits to those who wait, in their order.
    fn regrant<T>(self: &Arc<Self>, returned: u32, change: impl FnOnce(&mut Queue) -> T) -> T {
        let mut woken = Vec::new();
        let mut queue = lock(&self.queue);
        let changed = change(&mut queue);
        let mut taken = (self.taken.fetch_or(WAITED_FOR, Ordering::AcqRel) & !WAITED_FOR) - returned;
        while let Some(takes) = queue.waiting.first_takes().filter(|takes| *takes <= self.max - taken) {
            taken += takes;
            woken.extend(queue.waiting.grant(|| self.permit(takes)).flatten());
        }
        let waited_for = if queue.waiting.is_empty() { 0 } else { WAITED_FOR };
        self.taken.store(taken | waited_for, Ordering::Release);
        drop(queue);
        woken.into_iter().for_each(Waker::wake);
        changed
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let Self { permits, takes } = self;
        if !permits.change(|taken| (taken & WAITED_FOR == 0).then(|| taken - *takes)) {
            permits.regrant(*takes, |_| ());
        }
    }
}

/// Resolves to a permit.
pub(crate) struct Acquire {
    permits: Arc<Permits>,
    kind: CallKind,
    place: Option<Place<Permit>>,
}

impl Future for Acquire {
    type Output = Permit;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Permit> {
        let this = &mut *self;
        if this.place.is_none() {
            if let Some(permit) = this.permits.try_acquire(this.kind) {
                return Poll::Ready(permit);
            }
            // The last permit may have been returned just before, and is granted at once.
            let takes = this.permits.takes(this.kind);
            this.place = Some(this.permits.regrant(0, |queue| queue.waiting.join_last(takes)));
        }
        let Some(place) = &this.place else { return Poll::Pending };
        let polled = place.poll(context);
        if polled.is_ready() {
            // Who was granted a permit has left the queue.
            this.place = None;
        }
        polled
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        // If a permit was granted at the same moment, then dropping the place, after the lock, passes it to the next waiter.
        // And who waited behind this one may need less.
        if let Some(place) = &self.place {
            self.permits.regrant(0, |queue| queue.waiting.leave(place));
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
        let permits = Permits::for_calls(1);
        let Poll::Ready(first) = poll(pin!(permits.acquire(CallKind::Queued))) else {
            panic!("the first permit is free")
        };
        let (mut second, mut third) =
            (Box::pin(permits.acquire(CallKind::Queued)), Box::pin(permits.acquire(CallKind::Queued)));
        assert!(poll(second.as_mut()).is_pending() && poll(third.as_mut()).is_pending());
        drop(first);
        assert!(poll(third.as_mut()).is_pending());
        let Poll::Ready(granted) = poll(second.as_mut()) else { panic!("the second is next in line") };
        drop(granted);
        assert!(poll(third.as_mut()).is_ready());
        assert_eq!(permits.taken.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_permit_that_is_granted_to_a_waiter_who_left_goes_to_the_next() {
        let permits = Permits::for_calls(1);
        let Poll::Ready(first) = poll(pin!(permits.acquire(CallKind::Queued))) else {
            panic!("the first permit is free")
        };
        let (mut second, mut third) =
            (Box::pin(permits.acquire(CallKind::Queued)), Box::pin(permits.acquire(CallKind::Queued)));
        assert!(poll(second.as_mut()).is_pending() && poll(third.as_mut()).is_pending());
        drop(first);
        drop(second);
        assert!(poll(third.as_mut()).is_ready());
    }

    #[test]
    fn a_waiter_who_leaves_leaves_nothing_behind() {
        let permits = Permits::for_calls(1);
        let Poll::Ready(first) = poll(pin!(permits.acquire(CallKind::Queued))) else {
            panic!("the first permit is free")
        };
        let mut second = Box::pin(permits.acquire(CallKind::Queued));
        assert!(poll(second.as_mut()).is_pending());
        drop(second);
        assert!(lock(&permits.queue).waiting.is_empty());
        drop(first);
        assert_eq!(permits.taken.load(Ordering::SeqCst), 0);
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
        let (permits, held) = (Permits::for_calls(MAX), AtomicU32::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
                    for round in 0..if cfg!(miri) { 20 } else { 5_000 } {
                        let mut acquire = Box::pin(permits.acquire(CallKind::Queued));
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
        assert!(
            permits.try_acquire(CallKind::Queued).is_some() || poll(pin!(permits.acquire(CallKind::Queued))).is_ready()
        );
        assert_eq!(permits.taken.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_panic_gives_a_permit_back() {
        let permits = Permits::for_calls(1);
        let held = Arc::clone(&permits);
        let panicked = std::thread::spawn(move || {
            let Poll::Ready(_permit) = poll(pin!(held.acquire(CallKind::Queued))) else { return };
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert!(poll(pin!(permits.acquire(CallKind::Queued))).is_ready());
    }

    #[test]
    fn that_calls_wait_is_logged_once_in_a_period() {
        let permits = Permits::for_calls(1);
        assert!(!permits.begins_to_wait(CallKind::Queued));
        let Poll::Ready(_permit) = poll(pin!(permits.acquire(CallKind::Queued))) else {
            panic!("the first permit is free")
        };
        assert!(permits.begins_to_wait(CallKind::Queued));
        assert!(!permits.begins_to_wait(CallKind::Queued));
        lock(&permits.queue).logged = Instant::now().checked_sub(LOG_PERIOD);
        assert!(permits.begins_to_wait(CallKind::Queued));
    }

    #[test]
    fn a_blocking_call_takes_the_place_of_several_queued_ones() {
        let permits = Permits::by_descriptors(2, 4);
        let Poll::Ready(blocking) = poll(pin!(permits.acquire(CallKind::Blocking))) else { panic!("two are free") };
        let queued: Vec<_> = (0..3).map(|_| poll(pin!(permits.acquire(CallKind::Queued)))).collect();
        assert!(queued.iter().all(Poll::is_ready));
        let mut second = Box::pin(permits.acquire(CallKind::Blocking));
        let mut behind = Box::pin(permits.acquire(CallKind::Queued));
        assert!(poll(second.as_mut()).is_pending(), "one is free, and it takes four");
        assert!(poll(behind.as_mut()).is_pending(), "nobody overtakes those who wait");
        drop(second);
        let Poll::Ready(behind) = poll(behind.as_mut()) else { panic!("it needs no more than is free") };
        drop((blocking, queued, behind));
        assert_eq!(permits.taken.load(Ordering::SeqCst), 0);
    }
}
