//! The runtime that blocking calls share: who drives it, and that every call ends. Each thread makes one call.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Instant;

use loom::sync::{Condvar, Mutex};
use loom::thread::{self, JoinHandle};

use crate::check_up_to;
use crate::config::config::default;
use crate::credentials::cache::CallbackLoad;
use crate::deadline::Deadline;
use crate::driver::connection::Connection;
use crate::driver::interrupt::{Interrupt, Interrupts};
use crate::driver::pool::IdleConnections;
use crate::driver::shared_runtime::{Duty, SharedRuntime};
use crate::executor::runtime::open;
use crate::http::transport::Transport;
use crate::lock::lock;
use crate::outcome::Outcome;
use crate::platform::at_fork::fork_in_parent;
use crate::status::{Execution, Status};

pub(crate) fn check_all() {
    for rests in [false, true] {
        let check = |preemptions, name: &str, model: fn(&Arc<SharedRuntime>)| {
            let kind = if rests { "a runtime that stays" } else { "a runtime that is made" };
            check_up_to(preemptions, &format!("{name}, {kind}"), move || {
                let runtime = runtime(rests);
                model(&runtime);
                end(runtime, rests);
            });
        };
        check(2, "calls end", calls_end);
        check(3, "one call ends another", one_call_ends_another);
        check(3, "a leader passes on the lead", a_leader_passes_on_the_lead);
        check(2, "whoever leaves passes on the lead", whoever_leaves_passes_on_the_lead);
        check(3, "a callback stops nobody else", a_callback_stops_nobody_else);
        check(2, "callbacks stop nobody else", callbacks_stop_nobody_else);
        check(3, "an interrupt stops nobody else", an_interrupt_stops_nobody_else);
        check(3, "a call ends that led before an interrupt", a_call_ends_that_led_before_an_interrupt);
        check(3, "a call that breaks ends", a_call_that_breaks_ends);
        check(2, "a call ends during a fork", a_call_ends_during_a_fork);
        check(3, "idle connections are closed", idle_connections_are_closed);
        check(3, "the oldest connection is closed", the_oldest_connection_is_closed);
        check(3, "expired connections are closed", expired_connections_are_closed);
    }
}

/// Something happens once, which tasks and threads wait for.
#[derive(Clone, Default)]
struct Signal(Arc<Happening>);

#[derive(Default)]
struct Happening {
    has_happened: Mutex<bool>,
    happens: Condvar,
    tasks: Mutex<Vec<Waker>>,
}

impl Signal {
    fn given() -> Self {
        let signal = Self::default();
        signal.give();
        signal
    }

    fn give(&self) {
        *lock(&self.0.has_happened) = true;
        self.0.happens.notify_all();
        let tasks = std::mem::take(&mut *lock(&self.0.tasks));
        // The one that waited first goes on last: it may be the leader's own.
        tasks.into_iter().rev().for_each(Waker::wake);
    }

    fn wait(&self) {
        let mut has_happened = lock(&self.0.has_happened);
        while !*has_happened {
            has_happened = self.0.happens.wait(has_happened).unwrap();
        }
    }

    fn awaited(&self) -> impl Future<Output = ()> + use<> {
        let Self(signal) = self.clone();
        poll_fn(move |context| {
            lock(&signal.tasks).push(context.waker().clone());
            if *lock(&signal.has_happened) { Poll::Ready(()) } else { Poll::Pending }
        })
    }
}

/// Makes a runtime. It stays if it has an idle connection, which has expired, and is otherwise closed when no call is under way.
fn runtime(rests: bool) -> Arc<SharedRuntime> {
    let runtime = Arc::new(SharedRuntime::new(1, 9));
    if rests {
        let idle_since = Instant::now().checked_sub(2 * default::IDLE_TIMEOUT).unwrap();
        runtime.pool().keep(Connection { transport: Transport, idle_since });
        call(&runtime, at_once);
    }
    runtime
}

/// Frees a runtime that no call is under way in. Nothing of it may be left.
fn end(runtime: Arc<SharedRuntime>, rests: bool) {
    let is_idle = runtime.pool().count() > 0;
    assert!(rests || !is_idle);
    assert_eq!(open(), usize::from(is_idle), "the runtime stays if there is an idle connection");
    runtime.close_idle();
    assert_eq!(open(), 0, "something of a runtime is left");
    assert!(Arc::into_inner(runtime).is_some());
}

fn outcome() -> Outcome {
    Outcome::empty(Status::Ok, Execution::Unknown)
}

async fn at_once(duty: Duty) {
    duty.end(outcome());
}

/// Ends when all of this has happened.
fn after<const N: usize>(signals: [&Signal; N]) -> impl FnOnce(Duty) -> Task + use<N> {
    let waits = signals.map(Signal::awaited);
    |duty| {
        Box::pin(async move {
            for wait in waits {
                wait.await;
            }
            duty.end(outcome());
        })
    }
}

type Task = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

fn call<T: Future<Output = ()> + Send + 'static>(runtime: &SharedRuntime, task: impl FnOnce(Duty) -> T) {
    assert_eq!(call_with(runtime, task, None), Status::Ok);
}

fn call_with<T: Future<Output = ()> + Send + 'static>(
    runtime: &SharedRuntime,
    task: impl FnOnce(Duty) -> T,
    interrupt: Option<Interrupt<'_>>,
) -> Status {
    let mut interrupts = Interrupts::new(Deadline::new(None), interrupt);
    runtime.drive((), &mut interrupts, |(), duty| task(duty)).unwrap().status
}

fn start(runtime: &Arc<SharedRuntime>, run: impl FnOnce(&SharedRuntime) + 'static) -> JoinHandle<()> {
    let runtime = Arc::clone(runtime);
    thread::spawn(move || run(&runtime))
}

fn calls_end(runtime: &Arc<SharedRuntime>) {
    let others = [(); 2].map(|()| start(runtime, |runtime| call(runtime, at_once)));
    call(runtime, at_once);
    others.into_iter().for_each(|other| other.join().unwrap());
}

/// A call that is begun when the leader has nothing to do, perhaps.
fn one_call_ends_another(runtime: &Arc<SharedRuntime>) {
    let begun = Signal::default();
    let other = {
        let begun = begun.clone();
        start(runtime, move |runtime| {
            call(runtime, |duty| async move {
                begun.give();
                duty.end(outcome());
            });
        })
    };
    call(runtime, after([&begun]));
    other.join().unwrap();
}

/// A thread waits for another one, which has left.
fn a_leader_passes_on_the_lead(runtime: &Arc<SharedRuntime>) {
    let has_left = Signal::default();
    let other = {
        let has_left = has_left.clone();
        start(runtime, move |runtime| {
            call(runtime, at_once);
            has_left.give();
        })
    };
    call(runtime, after([&has_left]));
    other.join().unwrap();
}

/// A thread waits for two others that have left, one of which may have been called to lead when its call had ended.
fn whoever_leaves_passes_on_the_lead(runtime: &Arc<SharedRuntime>) {
    let have_left = [(); 2].map(|()| Signal::default());
    let others = have_left.clone().map(|has_left| {
        start(runtime, move |runtime| {
            call(runtime, at_once);
            has_left.give();
        })
    });
    call(runtime, after(have_left.each_ref()));
    others.into_iter().for_each(|other| other.join().unwrap());
}

/// Something of the caller's code: it begins, and waits until something else has happened.
#[derive(Clone, Default)]
struct Code {
    /// A call is under way that will run it.
    is_awaited: Signal,
    begins: Signal,
    ends: Signal,
}

impl Code {
    fn run(&self) {
        self.begins.give();
        self.ends.wait();
    }

    /// Is the credentials callback of a call, which needs credentials when something has happened.
    fn as_callback(&self, when: &Signal) -> impl FnOnce(Duty) -> Task + use<> {
        let (code, when) = (self.clone(), when.awaited());
        |duty| {
            Box::pin(async move {
                code.is_awaited.give();
                when.await;
                let loaded = duty.callers_thread().run(CallbackLoad(Box::new(move || code.run())));
                assert!(loaded.await.unwrap().is_ok());
                duty.end(outcome());
            })
        }
    }

    /// Makes a call that ends when the code has begun, and lets that end.
    fn be_waited_for(&self, runtime: &SharedRuntime) {
        call(runtime, after([&self.begins]));
        self.ends.give();
    }
}

fn a_callback_stops_nobody_else(runtime: &Arc<SharedRuntime>) {
    let callback = Code::default();
    let other = {
        let callback = callback.clone();
        start(runtime, move |runtime| callback.be_waited_for(runtime))
    };
    call(runtime, callback.as_callback(&Signal::given()));
    other.join().unwrap();
}

/// The leader and another thread have to run callbacks at once. The other one may have been called to lead.
fn callbacks_stop_nobody_else(runtime: &Arc<SharedRuntime>) {
    let (first, when) = (Code::default(), Signal::default());
    let second = Code { ends: first.ends.clone(), ..Code::default() };
    let callbacks = [&first, &second].map(|callback| {
        let task = callback.as_callback(&when);
        start(runtime, move |runtime| call(runtime, task))
    });
    // One of them leads then. If this thread could come first too, finding a fault would take one more preemption.
    for callback in [&first, &second] {
        callback.is_awaited.wait();
    }
    let (begin, ends) = (after([&first.begins, &second.begins]), first.ends.clone());
    call(runtime, |duty| async move {
        when.give();
        begin(duty).await;
    });
    ends.give();
    callbacks.into_iter().for_each(|callback| callback.join().unwrap());
}

fn an_interrupt_stops_nobody_else(runtime: &Arc<SharedRuntime>) {
    let interrupt = Code::default();
    let other = {
        let interrupt = interrupt.clone();
        start(runtime, move |runtime| interrupt.be_waited_for(runtime))
    };
    assert_eq!(call_interrupted_by(runtime, &interrupt), Status::Ok);
    other.join().unwrap();
}

/// Another thread may lead since the interrupt, and does until this call has ended.
fn a_call_ends_that_led_before_an_interrupt(runtime: &Arc<SharedRuntime>) {
    let (interrupt, has_left) = (Code::default(), Signal::default());
    let other = {
        let (Code { begins, ends, .. }, left) = (interrupt.clone(), has_left.awaited());
        start(runtime, move |runtime| {
            call(runtime, |duty| async move {
                begins.awaited().await;
                ends.give();
                left.await;
                duty.end(outcome());
            });
        })
    };
    assert_eq!(call_interrupted_by(runtime, &interrupt), Status::Ok);
    has_left.give();
    other.join().unwrap();
}

/// Makes a call that ends when the interrupt does.
fn call_interrupted_by(runtime: &SharedRuntime, interrupt: &Code) -> Status {
    let mut run = || {
        interrupt.run();
        false
    };
    call_with(runtime, after([&interrupt.ends]), Some(&mut run))
}

/// A task ends as if by a panic.
fn a_call_that_breaks_ends(runtime: &Arc<SharedRuntime>) {
    let other = start(runtime, |runtime| {
        assert_eq!(call_with(runtime, |duty| async { drop(duty) }, None), Status::Internal);
    });
    call(runtime, at_once);
    other.join().unwrap();
}

fn a_call_ends_during_a_fork(runtime: &Arc<SharedRuntime>) {
    let other = start(runtime, |runtime| call(runtime, at_once));
    fork_in_parent(|| ());
    call(runtime, at_once);
    other.join().unwrap();
}

fn idle_connections_are_closed(runtime: &Arc<SharedRuntime>) {
    a_call_ends_beside(runtime, SharedRuntime::close_idle);
}

fn the_oldest_connection_is_closed(runtime: &Arc<SharedRuntime>) {
    a_call_ends_beside(runtime, |runtime| {
        runtime.close_oldest();
    });
}

fn expired_connections_are_closed(runtime: &Arc<SharedRuntime>) {
    a_call_ends_beside(runtime, SharedRuntime::close_expired);
}

/// The call waits for what another thread does.
fn a_call_ends_beside(runtime: &Arc<SharedRuntime>, work: fn(&SharedRuntime)) {
    let is_over = Signal::default();
    let other = {
        let is_over = is_over.clone();
        start(runtime, move |runtime| {
            work(runtime);
            is_over.give();
        })
    };
    call(runtime, after([&is_over]));
    other.join().unwrap();
}
