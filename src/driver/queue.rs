//! A queue: calls under way, which the hub drives, and their completions, which the caller takes. What is decided here:
//! that each accepted call has exactly one completion, who is woken for it, and when the descriptor is readable.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use crate::call::Call;
use crate::deadline::Deadline;
use crate::driver::client_state::ClientState;
use crate::driver::hub;
use crate::driver::permits::BEGUN_AT_ONCE;
use crate::driver::submissions::{Duty, Submissions, Submitted, Work};
use crate::error::Error;
use crate::lock::thread::{self, JoinHandle};
use crate::lock::{Condvar, Mutex, MutexGuard, has_ended, lock, wait_until};
use crate::outcome::Outcome;
use crate::platform::event::{Event, event};
use crate::platform::per_process::PerProcess;
use crate::request::invocation::Invocation;
use crate::status::Status;

/// Calls under way and their completions, of any number of clients. Any number of threads may share a queue. The first
/// call starts one thread, which drives all calls of the queue and ends with it.
///
/// In a forked child a queue is empty: the calls under way are those of the parent.
pub struct Queue {
    state: PerProcess<Arc<QueueState>>,
}

/// The end of a call that was submitted to a [`Queue`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Completion {
    /// The tag that the call was submitted with.
    pub tag: u64,
    /// What became of the call.
    pub outcome: Outcome,
}

/// Lets the compiler check that threads may share a queue.
const fn is_shared_by_threads<T: Send + Sync>() {}
const _: () = is_shared_by_threads::<Queue>();

impl Queue {
    /// Makes an empty queue. It needs one descriptor from now on, and no thread before the first call.
    pub fn new() -> Result<Self, Error> {
        let event = event().map_err(|error| {
            Error::new(Status::NoMemory, format!("the descriptor of a queue could not be made: {error}"))
        })?;
        let queue = Self { state: PerProcess::new() };
        queue.state.get_or(|| QueueState::new(event));
        Ok(queue)
    }

    /// Returns the next completion, in the order of completion, or `None` if none came in time or a wake was taken.
    /// Waits without a limit if `timeout` is `None`. If several threads wait, each completion goes to one of them.
    pub fn next(&self, timeout: Option<Duration>) -> Option<Completion> {
        self.next_into(timeout, || Some(())).map(|(completion, ())| completion)
    }

    /// Takes the next completion as [`Queue::next`] does, together with the place that it goes to. If `place` finds none,
    /// the completion stays in the queue.
    pub(crate) fn next_into<P>(
        &self,
        timeout: Option<Duration>,
        place: impl FnOnce() -> Option<P>,
    ) -> Option<(Completion, P)> {
        // A timeout that no clock can represent is no limit.
        self.state().next(timeout.and_then(|timeout| Instant::now().checked_add(timeout)), timeout.is_none(), place)
    }

    /// Returns a descriptor that is readable while a completion or a wake waits. An event loop may wait for it to become
    /// readable, and must not read, write or close it. It stays the same until the queue is dropped; a forked child has
    /// another one. `None` if the system has no such descriptor, or had none left for a forked child.
    pub fn descriptor(&self) -> Option<i32> {
        self.state().descriptor()
    }

    /// Cancels every call under way that was submitted with this tag. Their completions still come, with
    /// [`Status::Cancelled`] unless they were done before.
    pub fn cancel(&self, tag: u64) {
        self.state().cancel(tag);
    }

    /// Returns how many calls were accepted and not yet taken with [`Queue::next`].
    pub fn in_flight(&self) -> usize {
        self.state().lock().in_flight
    }

    /// Makes one [`Queue::next`] return `None`: one that waits, or else the next one that finds no completion. Wakes are
    /// counted.
    pub fn wake(&self) {
        self.state().wake();
    }

    pub(crate) fn state(&self) -> &Arc<QueueState> {
        // Only a forked child makes another one here. Without a descriptor its queue works, but cannot be waited on.
        self.state.get_or(|| QueueState::new(event().unwrap_or_default()))
    }
}

impl Drop for Queue {
    /// Cancels what is under way, and waits for the thread to end, but not for the network.
    fn drop(&mut self) {
        self.state().close();
    }
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("in_flight", &self.in_flight()).finish_non_exhaustive()
    }
}

/// The part of a queue that must not cross a fork. Shared by the queue, its hub and its calls.
pub(crate) struct QueueState {
    event: Option<Event>,
    inner: Mutex<Inner>,
    /// A completion or a wake has come.
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    hub: Hub,
    /// The threads of hubs that broke, which may not have ended yet.
    broken: Vec<JoinHandle<()>>,
    /// What the hub has not taken over yet.
    submitted: VecDeque<Submitted<Accepted>>,
    /// Wakes the hub for `submitted` or the end.
    hub_waker: Option<Waker>,
    /// How many calls were accepted; numbers them.
    accepted: u64,
    /// The calls without completion, by tag and number.
    running: BTreeMap<(u64, u64), Deadline>,
    completions: VecDeque<Completion>,
    /// How many of the completions nobody has been told of. The hub tells of all that come in one turn of its runtime
    /// together: each time costs system calls.
    unannounced: usize,
    /// Accepted and not taken yet.
    in_flight: usize,
    wakes: usize,
    /// Threads that wait, and how many of them have been told to look and have not yet done so.
    waiting: usize,
    told: usize,
    /// The caller has asked for the descriptor, so it has to be kept up to date.
    event_is_used: bool,
    event_is_set: bool,
}

#[derive(Default)]
enum Hub {
    #[default]
    NotStarted,
    Runs(JoinHandle<()>),
    /// The queue was dropped.
    Closed,
}

/// The duty to complete an accepted call. If it is dropped undone, since the hub panicked, the completion says so.
pub(crate) struct Accepted {
    queue: Arc<QueueState>,
    tag: u64,
    number: u64,
    started: Instant,
    is_completed: bool,
}

impl QueueState {
    fn new(event: Option<Event>) -> Arc<Self> {
        Arc::new(Self { event, inner: Mutex::default(), changed: Condvar::new() })
    }

    /// Submits a call. Once this returns `Ok`, exactly one completion comes.
    pub(crate) fn submit(
        self: &Arc<Self>,
        client: Arc<ClientState>,
        invocation: &Invocation,
        tag: u64,
    ) -> Result<(), Error> {
        let started = Instant::now();
        let call = match Call::new(Arc::clone(&client.shared), invocation, started) {
            Ok(call) => call,
            Err(error) => {
                let outcome = Outcome { duration: started.elapsed(), ..client.shared.refuse(invocation, &error) };
                return self.complete_at_once(outcome, tag);
            }
        };
        let mut inner = self.lock();
        inner.reserve(Some(()))?;
        if matches!(inner.hub, Hub::NotStarted) {
            match hub::start(self) {
                Ok(thread) => inner.hub = Hub::Runs(thread),
                Err(error) => {
                    drop(inner);
                    let outcome = Outcome { duration: started.elapsed(), ..client.shared.refuse(invocation, &error) };
                    return self.complete_at_once(outcome, tag);
                }
            }
        }
        let number = inner.accept();
        inner.running.insert((tag, number), call.deadline().clone());
        let accepted = Accepted { queue: Arc::clone(self), tag, number, started, is_completed: false };
        inner.submitted.push_back(Submitted { call, client, duty: accepted });
        let hub = inner.hub_waker.take();
        drop(inner);
        if let Some(hub) = hub {
            hub.wake();
        }
        Ok(())
    }

    /// Accepts a call that is over before it began.
    pub(crate) fn complete_at_once(&self, outcome: Outcome, tag: u64) -> Result<(), Error> {
        let mut inner = self.lock();
        inner.reserve(None)?;
        inner.accept();
        inner.completions.push_back(Completion { tag, outcome });
        self.announce(inner, 1);
        Ok(())
    }

    fn next<P>(
        &self,
        until: Option<Instant>,
        for_ever: bool,
        place: impl FnOnce() -> Option<P>,
    ) -> Option<(Completion, P)> {
        let mut inner = self.lock();
        loop {
            if !inner.completions.is_empty() {
                let Some(place) = place() else {
                    self.announce(inner, 1);
                    return None;
                };
                let completion = inner.completions.pop_front()?;
                inner.in_flight -= 1;
                self.unset_event(&mut inner);
                return Some((completion, place));
            }
            if inner.wakes > 0 {
                inner.wakes -= 1;
                self.unset_event(&mut inner);
                return None;
            }
            let is_over = match until {
                Some(until) => Instant::now() >= until,
                None => !for_ever,
            };
            if is_over {
                return None;
            }
            inner.waiting += 1;
            inner = wait_until(&self.changed, inner, until);
            inner.waiting -= 1;
            inner.told = inner.told.saturating_sub(1);
        }
    }

    fn wake(&self) {
        let mut inner = self.lock();
        inner.wakes = inner.wakes.saturating_add(1);
        self.announce(inner, 1);
    }

    /// Tells threads that wait, and the event loop, that there is so much more to take.
    fn announce(&self, mut inner: MutexGuard<'_, Inner>, more: usize) {
        self.set_event(&mut inner);
        // A thread that has been told, and has not looked yet, is not told again: that costs a system call each.
        let tell = more.min(inner.waiting.saturating_sub(inner.told));
        inner.told += tell;
        drop(inner);
        (0..tell).for_each(|_| self.changed.notify_one());
    }

    /// Tells of the completions that nobody has been told of.
    fn announce_completions(&self) {
        let mut inner = self.lock();
        let more = mem::take(&mut inner.unannounced);
        if more > 0 && !inner.completions.is_empty() {
            self.announce(inner, more);
        }
    }

    fn set_event(&self, inner: &mut Inner) {
        if let Some(event) = &self.event
            && inner.event_is_used
            && !mem::replace(&mut inner.event_is_set, true)
        {
            event.set();
        }
    }

    fn unset_event(&self, inner: &mut Inner) {
        if let Some(event) = &self.event
            && inner.has_nothing()
            && mem::replace(&mut inner.event_is_set, false)
        {
            event.clear();
        }
    }

    fn descriptor(&self) -> Option<i32> {
        let event = self.event.as_ref()?;
        let mut inner = self.lock();
        inner.event_is_used = true;
        if !inner.has_nothing() {
            self.set_event(&mut inner);
        }
        Some(event.descriptor())
    }

    fn cancel(&self, tag: u64) {
        let cancelled: Vec<_> =
            self.lock().running.range((tag, 0)..=(tag, u64::MAX)).map(|(_, deadline)| deadline.clone()).collect();
        // Wakes the hub, so not under the lock.
        cancelled.iter().for_each(Deadline::cancel);
    }

    /// Ends the hub and waits for it. It drops its calls, which waits for nothing.
    fn close(&self) {
        let mut inner = self.lock();
        let mut threads = mem::take(&mut inner.broken);
        if let Hub::Runs(thread) = mem::replace(&mut inner.hub, Hub::Closed) {
            threads.push(thread);
        }
        let (waker, left) = (inner.hub_waker.take(), mem::take(&mut inner.submitted));
        drop(inner);
        drop(left);
        if let Some(waker) = waker {
            waker.wake();
        }
        // A log callback that drops the queue runs on one of the threads.
        for thread in threads.into_iter().filter(|thread| thread.thread().id() != thread::current().id()) {
            // A panic there has been dealt with there.
            let _ = thread.join();
        }
        let taken = mem::take(&mut self.lock().completions);
        drop(taken);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }
}

impl Submissions for QueueState {
    type Duty = Accepted;

    fn poll_work(&self, waker: &Waker) -> Poll<Work<Accepted>> {
        self.announce_completions();
        let mut inner = self.lock();
        if matches!(inner.hub, Hub::Closed) {
            return Poll::Ready(Work::End);
        }
        if !inner.submitted.is_empty() {
            let next = inner.submitted.len().min(BEGUN_AT_ONCE);
            return Poll::Ready(Work::Begin(inner.submitted.drain(..next).collect()));
        }
        inner.hub_waker = Some(waker.clone());
        Poll::Pending
    }

    /// Completes what it leaves behind, and lets the next call start another one.
    fn hub_broke(&self) {
        let mut inner = self.lock();
        let left = mem::take(&mut inner.submitted);
        inner.hub_waker = None;
        inner.broken.retain(|thread| !has_ended(thread));
        match mem::take(&mut inner.hub) {
            Hub::Runs(thread) => inner.broken.push(thread),
            closed => inner.hub = closed,
        }
        drop(inner);
        drop(left);
        self.announce_completions();
    }
}

impl Inner {
    /// Makes room for one more call, so that completing it needs no memory.
    fn reserve(&mut self, submitted: Option<()>) -> Result<(), Error> {
        let completions = (self.in_flight + 1).saturating_sub(self.completions.len());
        let reserved = self.completions.try_reserve(completions).and_then(|()| match submitted {
            Some(()) => self.submitted.try_reserve(1),
            None => Ok(()),
        });
        reserved.map_err(|_| Error::new(Status::NoMemory, "there is no memory for another call in the queue"))
    }

    fn accept(&mut self) -> u64 {
        self.in_flight += 1;
        self.accepted += 1;
        self.accepted
    }

    fn has_nothing(&self) -> bool {
        self.completions.is_empty() && self.wakes == 0
    }
}

impl Duty for Accepted {
    fn complete(mut self, outcome: Outcome) {
        self.end(outcome);
    }
}

impl Accepted {
    fn end(&mut self, outcome: Outcome) {
        self.is_completed = true;
        let mut inner = self.queue.lock();
        inner.running.remove(&(self.tag, self.number));
        inner.completions.push_back(Completion { tag: self.tag, outcome });
        inner.unannounced += 1;
        let hub = inner.hub_waker.take();
        drop(inner);
        if let Some(hub) = hub {
            hub.wake();
        }
    }
}

impl Drop for Accepted {
    fn drop(&mut self) {
        if !self.is_completed {
            self.end(Outcome::panicked(self.started));
        }
    }
}
