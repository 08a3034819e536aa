//! The runtime that the blocking calls of a client share while more of them are under way than there are processors. No
//! thread is made for it: one of the threads that wait for a call, the leader, drives all of them. When its own call has
//! ended, another one leads.
//!
//! A call that has a runtime to itself is woken without another thread's help, so one that is alone does not come here. Where
//! several are under way, what they share stays in the processor's cache: with 64 threads on one processor a call takes two
//! thirds of the processor's time.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::future::{Future, poll_fn};
use std::io;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Instant;

use aws_smithy_runtime_api::client::identity::Identity;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::yield_now;
use tokio::time::sleep_until;

use crate::config::config::default;
use crate::credentials::cache::CallbackLoad;
use crate::deadline::Deadline;
use crate::driver::caller::run_callers_code;
use crate::driver::connection::{self, Connection};
use crate::driver::fork_barrier::ForkBarrier;
use crate::driver::interrupt::Interrupts;
use crate::driver::permits::BEGUN_AT_ONCE;
use crate::driver::pool::{Closed, IdleConnections, Pool};
use crate::driver::runtime::{GuardedRuntime, Pace};
use crate::error::Error;
use crate::lock::atomic::{AtomicUsize, Ordering};
use crate::lock::{Condvar, Mutex, lock, thread_local, wait_until};
use crate::outcome::Outcome;
use crate::platform::limits;
use crate::platform::per_process::ThisProcess;
use crate::platform::signals::SigpipeBlocked;
use crate::status::{Execution, Status};

/// The calls that share a runtime, and who drives it.
pub(crate) struct SharedRuntime {
    inner: Mutex<Inner>,
    pool: Arc<Pool<Connection>>,
    /// How many blocking calls of the client are under way, in this runtime or beside it.
    under_way: AtomicUsize,
    /// How many of them have a runtime of their own.
    may_be_alone: usize,
}

#[derive(Default)]
struct Inner {
    engine: Place,
    /// What the leader has not begun yet.
    submitted: VecDeque<Task>,
    /// Wakes the leader for `submitted`.
    leader: Option<Waker>,
    /// The calls of this runtime, by a number.
    seats: BTreeMap<u64, Arc<Seat>>,
    seated: u64,
}

/// One look at the sockets takes the events of as many idle connections, which nobody has polled since their last use.
const PACE: Pace = Pace { max_events: 1_024, event_interval: 61 };

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where the engine is.
#[derive(Default)]
enum Place {
    #[default]
    NotMade,
    Rests(Engine),
    IsDriven,
}

/// The runtime, which one thread at a time drives.
struct Engine(GuardedRuntime);

/// One call, as its own thread and its task see it.
struct Seat {
    /// Its thread has driven others before.
    has_led: bool,
    state: Mutex<SeatState>,
    changed: Condvar,
}

#[derive(Default)]
struct SeatState {
    news: Option<News>,
    /// Its thread waits, and may be called to lead.
    waits: bool,
    must_look: bool,
    /// Its thread leads.
    leader: Option<Waker>,
}

thread_local! {
    /// This thread has driven calls of others.
    static HAS_LED: Cell<bool> = const { Cell::new(false) };
}

/// What its task tells a call's thread.
enum News {
    Ended(Outcome),
    /// The caller's code runs on the caller's own thread.
    Credentials(CallbackLoad, oneshot::Sender<Result<Identity, Error>>),
}

/// The duty to tell a call's thread how the call ended. If it is dropped undone, since something panicked, it says so.
pub(crate) struct Duty {
    seat: Arc<Seat>,
    started: Instant,
    is_done: bool,
}

/// A blocking call under way.
pub(crate) struct UnderWay<'r> {
    runtime: &'r SharedRuntime,
    /// How many others there were.
    others: usize,
}

impl SharedRuntime {
    /// Makes one that makes its runtime when it is needed. If there are never more calls under way than processors, each has a
    /// runtime of its own.
    pub(crate) fn new(processors: usize, max_calls: u32) -> Self {
        let never = usize::try_from(max_calls).is_ok_and(|max| max <= processors);
        let may_be_alone = if never { usize::MAX } else { processors };
        Self { inner: Mutex::default(), pool: Arc::default(), under_way: AtomicUsize::new(0), may_be_alone }
    }

    /// The idle connections of the runtime.
    pub(crate) fn pool(&self) -> &Arc<Pool<Connection>> {
        &self.pool
    }

    /// Counts a blocking call, whatever drives it.
    pub(crate) fn count(&self) -> UnderWay<'_> {
        UnderWay { runtime: self, others: self.under_way.fetch_add(1, Ordering::Relaxed) }
    }

    /// Returns whether a call beside so many others is driven here.
    pub(crate) fn is_for(&self, under_way: &UnderWay<'_>) -> bool {
        under_way.others >= self.may_be_alone
    }

    /// Drives a call to its end, and others with it. `task` makes of it what drives it inside the runtime. Returns the call if
    /// there is no runtime for it.
    pub(crate) fn drive<C, T: Future<Output = ()> + Send + 'static>(
        &self,
        call: C,
        interrupts: &mut Interrupts<'_>,
        task: impl FnOnce(C, Duty) -> T,
    ) -> Result<Outcome, C> {
        // If the interrupt is already set, then nothing may be sent.
        interrupts.poll();
        let process = ThisProcess::here();
        let mut passenger = self.board(call, interrupts.deadline().clone(), task)?;
        let mut tick = interrupts.tick();
        loop {
            let loaded = match passenger.seat.news() {
                Some(News::Ended(outcome)) => {
                    passenger.has_arrived = true;
                    return Ok(outcome);
                }
                Some(News::Credentials(load, sender)) => {
                    self.pass_on_lead();
                    Some((run_callers_code(|| load.run()), sender))
                }
                None => {
                    if !passenger.lead_or_wait(tick) {
                        continue;
                    }
                    self.pass_on_lead();
                    None
                }
            };
            // Here the caller's code runs or has run, so nothing of the runtime is held.
            if let Some((loaded, sender)) = loaded {
                match process.is_still() {
                    // The call may have ended meanwhile.
                    true => drop(sender.send(loaded)),
                    false => mem::forget(sender),
                }
            }
            interrupts.poll();
            tick = interrupts.tick();
            if !process.is_still() {
                passenger.leave_behind();
                let message = "the process was forked inside this call, which is the parent's";
                return Ok(Outcome::without_response(Status::Cancelled, Execution::Unknown, message));
            }
        }
    }

    /// Hands a call to the leader.
    fn board<C, T: Future<Output = ()> + Send + 'static>(
        &self,
        call: C,
        deadline: Deadline,
        task: impl FnOnce(C, Duty) -> T,
    ) -> Result<Passenger<'_>, C> {
        let seat =
            Arc::new(Seat { has_led: HAS_LED.with(Cell::get), state: Mutex::default(), changed: Condvar::new() });
        let mut made = None;
        let mut inner = lock(&self.inner);
        while matches!(inner.engine, Place::NotMade) {
            if let Some(engine) = made.take() {
                inner.engine = Place::Rests(engine);
                break;
            }
            // Not under the lock: it waits while another thread forks, whose handlers may need the lock.
            drop(inner);
            // Where descriptors are scarce, its own would be in the way of those calls that have a runtime to themselves.
            made = (!limits::descriptors_are_scarce()).then(|| Engine::new(&self.pool).ok()).flatten();
            if made.is_none() {
                return Err(call);
            }
            inner = lock(&self.inner);
        }
        if inner.submitted.try_reserve(1).is_err() {
            return Err(call);
        }
        let duty = Duty { seat: Arc::clone(&seat), started: Instant::now(), is_done: false };
        inner.submitted.push_back(Box::pin(task(call, duty)));
        inner.seated += 1;
        let number = inner.seated;
        inner.seats.insert(number, Arc::clone(&seat));
        let leader = inner.leader.take();
        drop(inner);
        drop(made);
        if let Some(leader) = leader {
            leader.wake();
        }
        Ok(Passenger { runtime: self, seat, number, deadline, has_arrived: false })
    }

    /// Gives the calling thread the lead if nobody has it.
    fn lead_or_follow(&self, seat: &Seat) -> Option<Lead<'_>> {
        // Before it looks whether somebody leads: a leader who stops after that calls it.
        lock(&seat.state).waits = true;
        let mut inner = lock(&self.inner);
        let engine = inner.take_engine()?;
        drop(inner);
        lock(&seat.state).waits = false;
        HAS_LED.with(|has_led| has_led.set(true));
        Some(Lead { runtime: self, engine: Some(engine), is_inside: false })
    }

    /// If nobody leads, calls a thread that waits.
    fn pass_on_lead(&self) {
        let inner = lock(&self.inner);
        if matches!(inner.engine, Place::Rests(_)) {
            // Few threads lead in turn: what drives the calls stays in their stacks and in their heaps.
            let calls = |has_led| inner.seats.values().any(|seat| seat.has_led == has_led && seat.call_to_lead());
            let _ = calls(true) || calls(false);
        }
    }

    /// Begins what was submitted. Returns whether there is more.
    fn begin(&self, leader: &Waker) -> bool {
        let mut inner = lock(&self.inner);
        let next = inner.submitted.len().min(BEGUN_AT_ONCE);
        let begun: Vec<_> = inner.submitted.drain(..next).collect();
        let is_more = !inner.submitted.is_empty();
        inner.leader = Some(leader.clone());
        drop(inner);
        begun.into_iter().for_each(|task| drop(tokio::spawn(task)));
        is_more
    }

    /// Closes what has rested for its idle timeout, if nobody drives the runtime, which would do so.
    pub(crate) fn close_expired(&self) {
        let now = Instant::now();
        let is_expired = |since: Instant| now.saturating_duration_since(since) >= default::IDLE_TIMEOUT;
        if self.pool.oldest().is_some_and(is_expired)
            && let Some(lead) = self.lead_at_rest()
        {
            self.pool.close_expired(now);
            lead.turn();
        }
    }

    /// Closes the connections that no call uses.
    pub(crate) fn close_idle(&self) {
        self.pool.close_all();
        // Otherwise whoever leads closes their sockets.
        self.close_at_rest();
    }

    /// Gives the calling thread the lead if no call is under way here.
    fn lead_at_rest(&self) -> Option<Lead<'_>> {
        let mut inner = lock(&self.inner);
        let engine = if inner.is_at_rest() { inner.take_engine()? } else { return None };
        Some(Lead { runtime: self, engine: Some(engine), is_inside: false })
    }

    /// Closes the runtime with all its connections if no call is under way here. Returns whether it did.
    fn close_at_rest(&self) -> bool {
        let mut inner = lock(&self.inner);
        let is_at_rest = inner.is_at_rest();
        if is_at_rest {
            let engine = mem::take(&mut inner.engine);
            self.pool.close_all();
            drop(inner);
            drop(engine);
        }
        is_at_rest
    }
}

/// What is closed when descriptors run out.
impl IdleConnections for SharedRuntime {
    fn count(&self) -> usize {
        self.pool.count()
    }

    fn oldest(&self) -> Option<Instant> {
        self.pool.oldest()
    }

    fn close_oldest(&self) -> Closed {
        let closed = self.pool.close_oldest();
        let is_now = match Handle::try_current() {
            // One runtime is not driven inside another one.
            Ok(_) => self.close_at_rest(),
            Err(_) => self.lead_at_rest().map(Lead::turn).is_some(),
        };
        match closed {
            Closed::Later if is_now => Closed::Now,
            closed => {
                // A thread of the calls that are under way closes it: another client's must not run what is theirs.
                self.pass_on_lead();
                closed
            }
        }
    }
}

impl Inner {
    /// Takes the engine to drive it, if nobody does.
    fn take_engine(&mut self) -> Option<Engine> {
        if !matches!(self.engine, Place::Rests(_)) {
            return None;
        }
        match mem::replace(&mut self.engine, Place::IsDriven) {
            Place::Rests(engine) => Some(engine),
            Place::NotMade | Place::IsDriven => None,
        }
    }

    /// Returns whether there is a runtime that no call uses.
    fn is_at_rest(&self) -> bool {
        self.seats.is_empty() && matches!(self.engine, Place::Rests(_))
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.runtime.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A call in the runtime, until its thread leaves.
struct Passenger<'r> {
    runtime: &'r SharedRuntime,
    seat: Arc<Seat>,
    number: u64,
    deadline: Deadline,
    /// The call has ended.
    has_arrived: bool,
}

impl Passenger<'_> {
    /// Drives all calls, or waits while another thread does, until there is news of this one or there may be nobody who drives
    /// them. Returns whether it was until a time.
    fn lead_or_wait(&self, until: Option<Instant>) -> bool {
        match self.runtime.lead_or_follow(&self.seat) {
            Some(lead) => lead.drive(&self.seat, until),
            None => self.seat.wait(until),
        }
    }

    /// Leaves everything to the process that this one was forked from.
    fn leave_behind(self) {
        mem::forget(self);
    }
}

impl Drop for Passenger<'_> {
    fn drop(&mut self) {
        // The caller's code panicked. The call is cancelled, and gives back what it holds.
        if !self.has_arrived {
            self.deadline.cancel();
        }
        while !self.has_arrived {
            match self.seat.news() {
                Some(News::Ended(_)) => self.has_arrived = true,
                Some(News::Credentials(..)) => {}
                None => drop(self.lead_or_wait(None)),
            }
        }
        let mut inner = lock(&self.runtime.inner);
        let seat = inner.seats.remove(&self.number);
        // Without a connection it would only hold descriptors.
        let engine = (inner.is_at_rest() && self.runtime.pool.count() == 0).then(|| mem::take(&mut inner.engine));
        drop(inner);
        drop((seat, engine));
        // It may have been called to lead.
        self.runtime.pass_on_lead();
    }
}

/// The right to drive the runtime. Dropped, it passes on.
struct Lead<'r> {
    runtime: &'r SharedRuntime,
    engine: Option<Engine>,
    /// The runtime is being driven, or something panicked there.
    is_inside: bool,
}

impl Lead<'_> {
    /// Drives all calls until there is news for one of them, or until a time. Returns whether the time has come.
    fn drive(mut self, seat: &Seat, until: Option<Instant>) -> bool {
        self.is_inside = true;
        let Some(engine) = &self.engine else { return false };
        let is_over = engine.block_on(async {
            // Nobody has looked at the connections for a while: those that the server has closed are noticed before a call uses
            // one.
            for _ in 0..self.runtime.pool.count() / PACE.max_events {
                yield_now().await;
            }
            let mut alarm = until.map(|until| Box::pin(sleep_until(until.into())));
            poll_fn(|context| {
                // A busy runtime does not park, so a waiting fork also proceeds between two polls.
                ForkBarrier::checkpoint_here();
                if self.runtime.begin(context.waker()) {
                    context.waker().wake_by_ref();
                }
                if seat.is_told(context.waker()) {
                    return Poll::Ready(false);
                }
                match &mut alarm {
                    Some(alarm) => alarm.as_mut().poll(context).map(|()| true),
                    None => Poll::Pending,
                }
            })
            .await
        });
        self.is_inside = false;
        seat.stops_leading();
        is_over.unwrap_or(false)
    }

    /// Lets the connections notice what has happened.
    fn turn(self) {
        let Some(engine) = &self.engine else { return };
        engine.block_on(async {
            yield_now().await;
            yield_now().await;
        });
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let engine = self.engine.take();
        let mut inner = lock(&self.runtime.inner);
        // Wakers keep the runtime's descriptors open.
        let waker = inner.leader.take();
        if self.is_inside {
            // Nobody knows what state the runtime is in. Its calls and its connections end with it.
            let left = mem::take(&mut inner.submitted);
            inner.engine = Place::NotMade;
            self.runtime.pool.close_all();
            drop(inner);
            drop((left, waker, engine));
            return;
        }
        // Without a call and a connection it would only hold descriptors.
        let (kept, closed) = match inner.seats.is_empty() && self.runtime.pool.count() == 0 {
            true => (None, engine),
            false => (engine, None),
        };
        inner.engine = kept.map_or(Place::NotMade, Place::Rests);
        drop(inner);
        drop(closed);
        drop(waker);
        self.runtime.pass_on_lead();
    }
}

impl Engine {
    fn new(pool: &Arc<Pool<Connection>>) -> io::Result<Self> {
        let runtime = GuardedRuntime::new(&PACE)?;
        runtime.enter(|| drop(tokio::spawn(connection::close_expired(Arc::downgrade(pool)))));
        Ok(Self(runtime))
    }

    fn block_on<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let _signals = SigpipeBlocked::new();
        self.0.block_on(work)
    }
}

impl Seat {
    fn news(&self) -> Option<News> {
        lock(&self.state).news.take()
    }

    fn tell(&self, news: News) {
        let mut state = lock(&self.state);
        state.news = Some(news);
        let leader = state.leader.take();
        let waits = state.waits;
        drop(state);
        match leader {
            Some(leader) => leader.wake(),
            None if waits => self.changed.notify_one(),
            None => {}
        }
    }

    /// Returns whether there is news, or else keeps what wakes the leader.
    fn is_told(&self, leader: &Waker) -> bool {
        let mut state = lock(&self.state);
        let is_told = state.news.is_some();
        state.leader = if is_told { None } else { Some(leader.clone()) };
        is_told
    }

    /// Forgets what wakes the leader.
    fn stops_leading(&self) {
        let leader = lock(&self.state).leader.take();
        drop(leader);
    }

    /// Waits for news, for the lead or until a time. Returns whether the time has come.
    fn wait(&self, until: Option<Instant>) -> bool {
        let mut state = lock(&self.state);
        let is_over = loop {
            if state.news.is_some() || mem::take(&mut state.must_look) {
                break false;
            }
            if until.is_some_and(|until| until <= Instant::now()) {
                break true;
            }
            state = wait_until(&self.changed, state, until);
        };
        state.waits = false;
        is_over
    }

    /// Tells the thread to look whether it can lead, unless it is about to. `false`: it does not wait.
    fn call_to_lead(&self) -> bool {
        let mut state = lock(&self.state);
        let is_told = !state.waits || mem::replace(&mut state.must_look, true);
        let waits = state.waits;
        drop(state);
        if !is_told {
            self.changed.notify_one();
        }
        waits
    }
}

impl Duty {
    /// Tells the call's thread how the call ended.
    pub(crate) fn end(mut self, outcome: Outcome) {
        self.is_done = true;
        self.seat.tell(News::Ended(outcome));
    }

    /// What runs the caller's credentials callback for this call.
    pub(crate) fn callers_thread(&self) -> CallersThread {
        CallersThread(Arc::clone(&self.seat))
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        if !self.is_done {
            self.seat.tell(News::Ended(Outcome::panicked(self.started)));
        }
    }
}

/// The thread that waits for a call.
pub(crate) struct CallersThread(Arc<Seat>);

impl CallersThread {
    /// Runs the caller's credentials callback on it.
    pub(crate) fn run(&self, load: CallbackLoad) -> oneshot::Receiver<Result<Identity, Error>> {
        let (sender, loaded) = oneshot::channel();
        self.0.tell(News::Credentials(load, sender));
        loaded
    }
}
