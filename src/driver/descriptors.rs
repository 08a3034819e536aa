//! What happens when the process runs out of descriptors. The calls of all clients compete for them: a call that finds none
//! first has an idle connection closed, whoever's it is; then it waits, first come, first served, for another call to end.
//!
//! A release wakes one waiter, not all. A waiter that finds none again goes back to its place and wakes nobody, so nobody
//! spins. The application and other parts of this library (name lookups, files, processes) also open and close descriptors,
//! which nobody announces: so the first in the queue looks from time to time by itself, and a call that has nobody else to
//! wait for looks once more before it fails.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use crate::driver::pool::{Closed, IdleConnections, Pool};
use crate::driver::wait_queue::{Place, WaitQueue};
use crate::driver::worker::Worker;
use crate::http::transport::Failure;
use crate::lock::lock;
use crate::platform::limits;
use crate::platform::per_process::PerProcess;

/// The first in the queue looks this often whether the application has closed something.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Another thread, as that of a queue, closes what it was given within this time.
const CLOSES_WITHIN: Duration = Duration::from_secs(1);

/// Usually it has done so after this time.
const CLOSES_USUALLY_WITHIN: Duration = Duration::from_millis(2);

static DESCRIPTORS: PerProcess<Arc<Descriptors>> = PerProcess::new();

/// Who holds descriptors in this process, and who waits for some.
#[derive(Default)]
pub(crate) struct Descriptors {
    counts: Counts,
    queue: Mutex<Queue>,
    pools: Mutex<Vec<Weak<dyn IdleConnections>>>,
    /// When a connection was last given to the thread that closes it.
    closes_later: Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Queue {
    waiting: WaitQueue<Lease>,
    look_at: Option<Instant>,
}

/// What is counted of all calls. While none waits, it is counted without a lock, for which the threads of a busy program
/// would fight. It holds:
/// - in the lower half the calls that have descriptors or are about to look for some;
/// - the bit [`WAITED_FOR`];
/// - in the upper half how often descriptors may have been freed, which is only compared.
#[derive(Default)]
struct Counts(AtomicU64);

/// Calls wait, or did a moment ago. Then only who holds the queue's lock changes the counts.
const WAITED_FOR: u64 = 1 << 31;
const HOLDERS: u64 = WAITED_FOR - 1;
const RELEASE: u64 = 1 << 32;

impl Counts {
    /// Counts one holder more, unless calls wait. Returns how often descriptors were freed.
    fn begin(&self) -> Option<u64> {
        self.change(|counts| (counts & WAITED_FOR == 0).then(|| counts + 1)).map(Self::released)
    }

    /// Counts one holder less and a release, unless calls wait.
    fn end(&self) -> bool {
        self.change(|counts| (counts & WAITED_FOR == 0).then(|| counts.wrapping_add(RELEASE) - 1)).is_some()
    }

    /// Returns what was counted before.
    fn change(&self, change: impl FnMut(u64) -> Option<u64>) -> Option<u64> {
        self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, change).ok()
    }

    /// Changes the counts under the queue's lock. `waited_for`: calls wait.
    fn change_locked(&self, waited_for: bool, change: impl Fn(u64) -> u64) {
        let bit = if waited_for { WAITED_FOR } else { 0 };
        self.change(|counts| Some(change(counts & !WAITED_FOR) | bit));
    }

    /// Keeps all but who holds the queue's lock from changing the counts, which it returns.
    fn freeze(&self) -> u64 {
        self.0.fetch_or(WAITED_FOR, Ordering::AcqRel) & !WAITED_FOR
    }

    fn is_waited_for(&self) -> bool {
        self.0.load(Ordering::Acquire) & WAITED_FOR != 0
    }

    fn released(counts: u64) -> u64 {
        counts / RELEASE
    }
}

/// The right to look for descriptors, and the worker that has them. Dropped, it closes the worker and passes the right on.
pub(crate) struct Lease {
    descriptors: Arc<Descriptors>,
    worker: Option<Leased>,
    /// What had been released when this call began to look.
    seen: u64,
    has_waited: bool,
    /// See [`Acquire::lacked_at`].
    lacked_at: Option<Instant>,
    /// Nobody announced a release.
    looks_by_itself: bool,
    is_passed_on: bool,
}

/// A worker and whose it is.
struct Leased {
    pool: Arc<Pool<Box<Worker>>>,
    worker: Box<Worker>,
}

/// What a call does that finds no descriptor and is alone.
#[derive(Clone, Copy, PartialEq, Eq)]
enum WhenAlone {
    LookAgain,
    Wait,
    GiveUp,
}

/// What becomes of a call that finds no descriptor.
pub(crate) enum Shortage {
    /// Some may have been released meanwhile.
    LookAgain(Lease),
    Wait(Acquire),
    /// Nobody else holds any that this library could wait for.
    Hopeless,
}

impl Descriptors {
    /// Those of this process.
    pub(crate) fn of_this_process() -> &'static Arc<Self> {
        DESCRIPTORS.get_or(Arc::default)
    }

    /// From now on the idle connections of a pool are closed when descriptors run out.
    pub(crate) fn register(&self, pool: Weak<dyn IdleConnections>) {
        let mut pools = lock(&self.pools);
        // Before the list grows, those of clients that are gone leave it.
        if pools.len() == pools.capacity() {
            pools.retain(|pool| pool.strong_count() > 0);
        }
        pools.push(pool);
    }

    /// Waits behind those who wait already.
    pub(crate) fn acquire(self: &Arc<Self>) -> Acquire {
        Acquire { descriptors: Arc::clone(self), place: None, lacked_at: None }
    }

    /// Closes the idle connection that has rested longest.
    pub(crate) fn close_idle(&self) -> Closed {
        let pools: Vec<_> = lock(&self.pools).iter().filter_map(Weak::upgrade).collect();
        let oldest = pools.iter().filter_map(|pool| Some((pool.oldest()?, pool))).min_by_key(|(since, _)| *since);
        let closed = oldest.map_or(Closed::Nothing, |(_, pool)| pool.close_oldest());
        if closed == Closed::Later {
            // Before this call ends its lease: until then, no other one takes itself for alone.
            *lock(&self.closes_later) = Some(Instant::now());
        }
        closed
    }

    fn lease(self: &Arc<Self>, worker: Option<Leased>, released: u64) -> Lease {
        Lease {
            descriptors: Arc::clone(self),
            worker,
            seen: released,
            has_waited: false,
            lacked_at: None,
            looks_by_itself: false,
            is_passed_on: false,
        }
    }
}

/// Names the limit in the failure of a call that found no descriptor and has nobody to wait for.
pub(crate) fn with_limit(failure: Failure) -> Failure {
    Failure { message: failure.message + &limits::descriptors_in_words(), ..failure }
}

impl Lease {
    /// The worker that came with the lease, if it is one of this pool's; another one is closed for its descriptors.
    pub(crate) fn take_worker_of(&mut self, pool: &Arc<Pool<Box<Worker>>>) -> Option<Box<Worker>> {
        self.worker.take().filter(|leased| Arc::ptr_eq(&leased.pool, pool)).map(|leased| leased.worker)
    }

    pub(crate) fn worker(&mut self) -> Option<&mut Worker> {
        self.worker.as_mut().map(|leased| &mut *leased.worker)
    }

    /// Takes a worker, which has found its descriptors.
    pub(crate) fn set_worker(&mut self, pool: &Arc<Pool<Box<Worker>>>, worker: Box<Worker>) -> &mut Worker {
        if std::mem::take(&mut self.looks_by_itself) {
            // There may be more of what nobody announced: the next one looks at once.
            let mut queue = lock(&self.descriptors.queue);
            queue.look_at = Some(Instant::now());
            let next = queue.waiting.first_waker();
            drop(queue);
            next.into_iter().for_each(Waker::wake);
        }
        &mut self.worker.insert(Leased { pool: Arc::clone(pool), worker }).worker
    }

    /// Closes the worker.
    pub(crate) fn close(&mut self) {
        self.worker = None;
    }

    /// After no descriptor was found, with no worker any more.
    pub(crate) fn lacks(mut self) -> Shortage {
        let descriptors = Arc::clone(&self.descriptors);
        let mut queue = lock(&descriptors.queue);
        let counts = descriptors.counts.freeze();
        let (released, now) = (Counts::released(counts), Instant::now());
        // What a look found a while ago, for an earlier attempt perhaps, says nothing now.
        let is_recent = |at: &Instant| now.saturating_duration_since(*at) < CLOSES_WITHIN;
        let lacked_at = self.lacked_at.filter(is_recent).unwrap_or(now);
        let when_alone = match counts & HOLDERS == 1 {
            true => self.when_alone(released, lacked_at, now),
            false => WhenAlone::Wait,
        };
        if when_alone != WhenAlone::Wait {
            descriptors.counts.change_locked(!queue.waiting.is_empty(), |counts| counts);
            // The lock goes first: the right is passed on when `self` is dropped.
            drop(queue);
            if when_alone == WhenAlone::GiveUp {
                return Shortage::Hopeless;
            }
            if released == self.seen {
                thread::yield_now();
            }
            self.seen = released;
            return Shortage::LookAgain(self);
        }
        // It had a worker for a moment, which another one may have missed.
        descriptors.counts.change_locked(true, |counts| counts.wrapping_add(RELEASE) - 1);
        self.is_passed_on = true;
        queue.look_at = now.checked_add(LOOK_EVERY);
        let place = if self.has_waited { queue.waiting.join_first(1) } else { queue.waiting.join_last(1) };
        drop(queue);
        Shortage::Wait(Acquire { descriptors, place: Some(place), lacked_at: Some(lacked_at) })
    }

    /// Decides what a call does that found no descriptor, and that no other call is going to release any for.
    fn when_alone(&self, released: u64, lacked_at: Instant, now: Instant) -> WhenAlone {
        let closes_since = lock(&self.descriptors.closes_later).map(|since| now.saturating_duration_since(since));
        match closes_since {
            _ if released != self.seen => WhenAlone::LookAgain,
            Some(since) if since < CLOSES_USUALLY_WITHIN => WhenAlone::LookAgain,
            Some(since) if since < CLOSES_WITHIN => WhenAlone::Wait,
            _ if now.saturating_duration_since(lacked_at) < LOOK_EVERY => WhenAlone::Wait,
            _ => WhenAlone::GiveUp,
        }
    }

    /// Ends the lease with its worker fit for more: for whoever waits, or for later calls.
    pub(crate) fn keep(mut self) {
        let Some(mut leased) = self.worker.take() else { return };
        leased.worker.end_call(Instant::now());
        if !self.descriptors.counts.is_waited_for() {
            leased.pool.keep(leased.worker);
            // Whoever began to wait meanwhile is woken by the drop, and has it closed.
            return;
        }
        let descriptors = Arc::clone(&self.descriptors);
        let mut queue = lock(&descriptors.queue);
        if queue.waiting.is_empty() {
            drop(queue);
            leased.pool.keep(leased.worker);
            return;
        }
        let released = Counts::released(descriptors.counts.freeze());
        let woken = queue.waiting.grant(|| descriptors.lease(Some(leased), released));
        self.is_passed_on = true;
        drop(queue);
        woken.flatten().into_iter().for_each(Waker::wake);
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Its descriptors are free when the next one looks.
        self.close();
        if self.is_passed_on {
            return;
        }
        let Descriptors { counts, queue, .. } = &*self.descriptors;
        if counts.end() {
            return;
        }
        let mut queue = lock(queue);
        let released = Counts::released(counts.freeze().wrapping_add(RELEASE));
        let woken = queue.waiting.grant(|| self.descriptors.lease(None, released));
        let ended = u64::from(woken.is_none());
        counts.change_locked(woken.is_some(), |counts| counts.wrapping_add(RELEASE) - ended);
        drop(queue);
        woken.flatten().into_iter().for_each(Waker::wake);
    }
}

/// Resolves to a lease. Polled at least as often as [`LOOK_EVERY`] says.
pub(crate) struct Acquire {
    descriptors: Arc<Descriptors>,
    place: Option<Place<Lease>>,
    /// When the call looked in vain, and has since then looked again from time to time.
    lacked_at: Option<Instant>,
}

impl Future for Acquire {
    type Output = Lease;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Lease> {
        let this = &mut *self;
        let descriptors = &this.descriptors;
        if this.place.is_none()
            && let Some(released) = descriptors.counts.begin()
        {
            return Poll::Ready(descriptors.lease(None, released));
        }
        let mut queue = lock(&descriptors.queue);
        let Some(place) = &this.place else {
            let released = Counts::released(descriptors.counts.freeze());
            if queue.waiting.is_empty() {
                descriptors.counts.change_locked(false, |counts| counts + 1);
                return Poll::Ready(descriptors.lease(None, released));
            }
            let place = queue.waiting.join_last(1);
            let pending = place.poll(context);
            this.place = Some(place);
            return pending;
        };
        if let Poll::Ready(mut lease) = place.poll(context) {
            // Who was granted a lease has left the queue.
            this.place = None;
            (lease.has_waited, lease.lacked_at) = (true, this.lacked_at);
            return Poll::Ready(lease);
        }
        let now = Instant::now();
        // The first may be a stream that nobody reads: then another one looks.
        let grace = if queue.waiting.is_first(place) { Duration::ZERO } else { LOOK_EVERY };
        if queue.look_at.is_some_and(|look_at| now.saturating_duration_since(look_at) < grace || now < look_at) {
            return Poll::Pending;
        }
        queue.waiting.leave(place);
        queue.look_at = now.checked_add(LOOK_EVERY);
        let released = Counts::released(descriptors.counts.freeze());
        descriptors.counts.change_locked(!queue.waiting.is_empty(), |counts| counts + 1);
        let mut lease = descriptors.lease(None, released);
        (lease.has_waited, lease.lacked_at, lease.looks_by_itself) = (true, this.lacked_at, true);
        Poll::Ready(lease)
    }
}

impl Drop for Acquire {
    fn drop(&mut self) {
        // A lease that was granted in the same moment passes itself on when the place is dropped, after the lock.
        if let Some(place) = &self.place {
            lock(&self.descriptors.queue).waiting.leave(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    struct Call {
        acquire: Pin<Box<Acquire>>,
        woken: Arc<Woken>,
    }

    impl Call {
        fn new(acquire: Acquire) -> Self {
            Self { acquire: Box::pin(acquire), woken: Arc::default() }
        }

        fn poll(&mut self) -> Option<Lease> {
            let waker = Waker::from(Arc::clone(&self.woken));
            match self.acquire.as_mut().poll(&mut Context::from_waker(&waker)) {
                Poll::Ready(lease) => Some(lease),
                Poll::Pending => None,
            }
        }

        fn times_woken(&self) -> usize {
            self.woken.0.load(Ordering::SeqCst)
        }
    }

    fn waits(lease: Lease) -> Call {
        match lease.lacks() {
            Shortage::Wait(acquire) => {
                let mut call = Call::new(acquire);
                assert!(call.poll().is_none());
                call
            }
            Shortage::LookAgain(_) => panic!("it looks again"),
            Shortage::Hopeless => panic!("it is given up"),
        }
    }

    fn holders_of(descriptors: &Descriptors) -> u64 {
        descriptors.counts.0.load(Ordering::SeqCst) & HOLDERS
    }

    fn begins(descriptors: &Arc<Descriptors>) -> Lease {
        Call::new(descriptors.acquire()).poll().unwrap()
    }

    #[test]
    fn a_release_wakes_the_first_and_a_failed_look_wakes_nobody() {
        let descriptors = Arc::<Descriptors>::default();
        let holders = [begins(&descriptors), begins(&descriptors)];
        let (one, two) = (begins(&descriptors), begins(&descriptors));
        let (mut one, mut two) = (waits(one), waits(two));
        let mut newcomer = Call::new(descriptors.acquire());
        assert!(newcomer.poll().is_none(), "nobody overtakes those who wait");
        let [holder, other] = holders;
        drop(holder);
        assert_eq!((one.times_woken(), two.times_woken()), (1, 0));
        let mut one = waits(one.poll().unwrap());
        assert_eq!((one.times_woken(), two.times_woken(), newcomer.times_woken()), (0, 0, 0));
        drop(other);
        // It kept its place.
        assert_eq!((one.times_woken(), two.times_woken()), (1, 0));
        drop(one.poll().unwrap());
        drop(two.poll().unwrap());
        drop(newcomer.poll().unwrap());
        assert_eq!(holders_of(&descriptors), 0);
    }

    #[test]
    fn who_is_alone_gives_up_after_a_second_look_unless_something_was_released() {
        let descriptors = Arc::<Descriptors>::default();
        let (one, two) = (begins(&descriptors), begins(&descriptors));
        let mut one = waits(one);
        // What the other one had for a moment may have been in its way.
        let Shortage::LookAgain(two) = two.lacks() else { panic!("the other one had a worker for a moment") };
        let mut two = waits(two);
        assert_eq!(holders_of(&descriptors), 0);
        assert!(one.poll().is_none() && two.poll().is_none(), "it is too early");
        let mut newcomer = Call::new(descriptors.acquire());
        assert!(newcomer.poll().is_none(), "nobody overtakes those who wait");
        for call in [&mut one, &mut two] {
            call.acquire.lacked_at = Instant::now().checked_sub(LOOK_EVERY);
        }
        lock(&descriptors.queue).look_at = Some(Instant::now());
        assert!(matches!(one.poll().unwrap().lacks(), Shortage::Hopeless));
        // It has waited, too.
        assert!(matches!(two.poll().unwrap().lacks(), Shortage::Hopeless));
        let mut newcomer = waits(newcomer.poll().unwrap());
        assert_eq!(holders_of(&descriptors), 0);
        newcomer.acquire.lacked_at = Instant::now().checked_sub(LOOK_EVERY);
        lock(&descriptors.queue).look_at = Some(Instant::now());
        assert!(matches!(newcomer.poll().unwrap().lacks(), Shortage::Hopeless));
        assert_eq!(holders_of(&descriptors), 0);
    }

    /// As a stream that waits for descriptors, and whose reader does something else.
    #[test]
    fn a_waiter_that_nobody_polls_stops_nobody() {
        let descriptors = Arc::<Descriptors>::default();
        let _unpolled = waits(begins(&descriptors));
        let mut next = Call::new(descriptors.acquire());
        assert!(next.poll().is_none(), "it has to wait behind the other one");
        lock(&descriptors.queue).look_at = Instant::now().checked_sub(LOOK_EVERY);
        let lease = next.poll().unwrap();
        // It is first from now on.
        let mut next = waits(lease);
        lock(&descriptors.queue).look_at = Some(Instant::now());
        drop(next.poll().unwrap());
        assert_eq!(holders_of(&descriptors), 1, "the right has passed to the other one");
    }

    #[test]
    fn an_earlier_look_in_vain_says_nothing_of_a_later_shortage() {
        let descriptors = Arc::<Descriptors>::default();
        let mut call = waits(begins(&descriptors));
        call.acquire.lacked_at = Instant::now().checked_sub(CLOSES_WITHIN * 2);
        lock(&descriptors.queue).look_at = Some(Instant::now());
        drop(waits(call.poll().unwrap()));
    }

    #[test]
    fn who_is_alone_waits_for_the_thread_that_closes_what_it_was_given() {
        let descriptors = Arc::<Descriptors>::default();
        *lock(&descriptors.closes_later) = Some(Instant::now() + LOOK_EVERY);
        let Shortage::LookAgain(lease) = begins(&descriptors).lacks() else { panic!("it does not look at once") };
        *lock(&descriptors.closes_later) = Instant::now().checked_sub(LOOK_EVERY * 2);
        let mut call = waits(lease);
        for gives_up in [false, true] {
            call.acquire.lacked_at = Instant::now().checked_sub(LOOK_EVERY * 2);
            lock(&descriptors.queue).look_at = Some(Instant::now());
            let lease = call.poll().unwrap();
            if gives_up {
                *lock(&descriptors.closes_later) = Instant::now().checked_sub(CLOSES_WITHIN);
                assert!(matches!(lease.lacks(), Shortage::Hopeless));
                return;
            }
            call = waits(lease);
        }
    }

    #[test]
    fn a_waiter_who_leaves_leaves_nothing_behind_and_passes_on_what_it_was_granted() {
        let descriptors = Arc::<Descriptors>::default();
        let holder = begins(&descriptors);
        let calls = [begins(&descriptors), begins(&descriptors), begins(&descriptors)];
        let [one, two, mut three] = calls.map(waits);
        drop(one);
        drop(holder);
        assert_eq!((two.times_woken(), three.times_woken()), (1, 0));
        drop(two);
        assert_eq!(three.times_woken(), 1);
        drop(three.poll().unwrap());
        assert!(holders_of(&descriptors) == 0 && lock(&descriptors.queue).waiting.is_empty());
    }

    #[test]
    fn the_first_looks_by_itself_from_time_to_time() {
        let descriptors = Arc::<Descriptors>::default();
        let _holder = begins(&descriptors);
        let (one, two) = (begins(&descriptors), begins(&descriptors));
        let (mut one, mut two) = (waits(one), waits(two));
        assert!(one.poll().is_none() && two.poll().is_none());
        lock(&descriptors.queue).look_at = Some(Instant::now());
        assert!(two.poll().is_none(), "it is not the first");
        let one = one.poll().unwrap();
        assert!(two.poll().is_none(), "the first has just looked");
        drop(waits(one));
    }
}
