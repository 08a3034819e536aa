//! The runtime itself. It is stricter than tokio's: a waker of the thread that drove it before wakes nobody.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::mem;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::{Condvar, Mutex};

use crate::driver::fork_barrier::ForkBarrier;
use crate::lock::lock;

pub(crate) struct Runtime {
    scheduler: Arc<Scheduler>,
    barrier: Arc<ForkBarrier>,
}

/// As long as there is one of its wakers, there is what the runtime has of the system.
struct Scheduler {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    tasks: Vec<Arc<Task>>,
    can_go_on: VecDeque<Arc<Task>>,
    /// What was driven so far besides the tasks, the present one included.
    mains: usize,
    /// The present one can go on.
    main_can: bool,
}

struct Task {
    scheduler: Arc<Scheduler>,
    /// Fails if two threads drive the runtime at once.
    future: std::sync::Mutex<Option<Pin<Box<dyn Future<Output = ()> + Send>>>>,
}

struct Main {
    scheduler: Arc<Scheduler>,
    number: usize,
}

loom::lazy_static! {
    static ref OPEN: AtomicUsize = AtomicUsize::new(0);
    static ref DRIVEN: AtomicUsize = AtomicUsize::new(0);
}

loom::thread_local! {
    /// The runtime that this thread drives.
    static HERE: RefCell<Option<Arc<Scheduler>>> = RefCell::new(None)
}

/// Returns how many runtimes have something of the system.
pub(crate) fn open() -> usize {
    OPEN.load(Ordering::SeqCst)
}

impl Runtime {
    pub(crate) fn new(barrier: Arc<ForkBarrier>) -> Self {
        OPEN.fetch_add(1, Ordering::SeqCst);
        Self { scheduler: Arc::new(Scheduler { state: Mutex::default(), changed: Condvar::new() }), barrier }
    }

    /// Does in the context of this runtime what does not drive it.
    pub(crate) fn enter<T>(&self, work: impl FnOnce() -> T) -> T {
        let outer = HERE.with(|here| here.replace(Some(Arc::clone(&self.scheduler))));
        let done = work();
        HERE.with(|here| here.replace(outer));
        done
    }

    /// Drives `main` to its end, and the tasks meanwhile.
    pub(crate) fn block_on<F: Future>(&self, main: F) -> F::Output {
        assert_eq!(DRIVEN.fetch_add(1, Ordering::SeqCst), 0, "two threads drive");
        let outer = HERE.with(|here| here.replace(Some(Arc::clone(&self.scheduler))));
        assert!(outer.is_none(), "a runtime is driven inside another one");
        let number = self.scheduler.begin();
        let waker = Waker::from(Arc::new(Main { scheduler: Arc::clone(&self.scheduler), number }));
        let mut main = pin!(main);
        let result = loop {
            match self.next() {
                Some(task) => task.run(),
                None => {
                    if let Poll::Ready(result) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
                        break result;
                    }
                }
            }
        };
        HERE.with(|here| here.replace(None));
        DRIVEN.fetch_sub(1, Ordering::SeqCst);
        result
    }

    /// Waits until something can go on. `None`: what is driven besides the tasks.
    fn next(&self) -> Option<Arc<Task>> {
        loop {
            let mut state = lock(&self.scheduler.state);
            if mem::take(&mut state.main_can) {
                return None;
            }
            if let Some(task) = state.can_go_on.pop_front() {
                return Some(task);
            }
            self.barrier.leave();
            drop(self.scheduler.changed.wait(state));
            self.barrier.enter();
        }
    }

    pub(crate) fn shutdown_background(self) {
        let mut state = lock(&self.scheduler.state);
        let (tasks, queue) = (mem::take(&mut state.tasks), mem::take(&mut state.can_go_on));
        drop(state);
        drop(queue);
        tasks.iter().for_each(|task| drop(task.future.try_lock().unwrap().take()));
    }
}

impl Scheduler {
    fn spawn(self: &Arc<Self>, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let task = Arc::new(Task { scheduler: Arc::clone(self), future: Some(future).into() });
        lock(&self.state).tasks.push(Arc::clone(&task));
        task.wake();
    }

    fn begin(&self) -> usize {
        let mut state = lock(&self.state);
        state.mains += 1;
        state.main_can = true;
        state.mains
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Task {
    fn run(self: Arc<Self>) {
        let waker = Waker::from(Arc::clone(&self));
        let mut future = self.future.try_lock().unwrap();
        let is_over =
            future.as_mut().is_some_and(|future| future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready());
        if is_over {
            drop(future.take());
            lock(&self.scheduler.state).tasks.retain(|task| !Arc::ptr_eq(task, &self));
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        let scheduler = Arc::clone(&self.scheduler);
        let mut state = lock(&scheduler.state);
        let is_known = state.tasks.iter().any(|task| Arc::ptr_eq(task, &self));
        if is_known && !state.can_go_on.iter().any(|task| Arc::ptr_eq(task, &self)) {
            state.can_go_on.push_back(self);
            scheduler.changed.notify_one();
        }
    }
}

impl Wake for Main {
    fn wake(self: Arc<Self>) {
        let mut state = lock(&self.scheduler.state);
        if state.mains == self.number {
            state.main_can = true;
            self.scheduler.changed.notify_one();
        }
    }
}

/// The runtime that this thread drives.
pub(crate) struct Handle;

impl Handle {
    pub(crate) fn try_current() -> Result<Self, ()> {
        HERE.with(|here| here.borrow().as_ref().map(|_| Self).ok_or(()))
    }
}

pub(crate) struct JoinHandle;

/// Gives the runtime that this thread drives a task.
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> JoinHandle {
    let scheduler = HERE.with(|here| here.borrow().clone());
    scheduler.unwrap().spawn(Box::pin(future));
    JoinHandle
}
