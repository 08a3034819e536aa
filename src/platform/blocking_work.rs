//! Work that blocks and cannot be cancelled, such as a name lookup. It runs on threads of its own. A call that gives up
//! leaves the work behind; the thread ends with it.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;

use tokio::sync::oneshot;

use crate::lock::lock;
use crate::platform::signals::with_all_blocked;

/// The limit of threads; further work waits until one of them is done.
const MAX_THREADS: usize = 4;

type Spawn = fn(&'static str, Box<dyn FnOnce() + Send>) -> io::Result<()>;

/// One kind of work of all clients of a process. `K` names what is to be done, `T` is the result.
pub(crate) struct BlockingWork<K: 'static, T: 'static> {
    state: Mutex<State<K, T>>,
    thread_name: &'static str,
    work: fn(&K) -> T,
    /// Makes the result if the work cannot be done, for the reason that it is given.
    failed: fn(&str) -> T,
    spawn: Spawn,
}

struct State<K, T> {
    threads: usize,
    /// The waiters for everything that is being done, or is queued: the same work is done once for all of them.
    waiters: BTreeMap<K, Vec<oneshot::Sender<T>>>,
    /// What no thread has taken yet.
    queued: VecDeque<K>,
}

impl<K: Ord + Clone + Send, T: Clone + Send> BlockingWork<K, T> {
    pub(crate) fn new(thread_name: &'static str, work: fn(&K) -> T, failed: fn(&str) -> T) -> Self {
        let state = State { threads: 0, waiters: BTreeMap::new(), queued: VecDeque::new() };
        Self { state: Mutex::new(state), thread_name, work, failed, spawn }
    }

    /// Does the work of `key`, and returns its result.
    pub(crate) async fn run(&'static self, key: K) -> T {
        self.start(key).await.unwrap_or_else(|_| (self.failed)("it was abandoned"))
    }

    fn start(&'static self, key: K) -> oneshot::Receiver<T> {
        let (sender, receiver) = oneshot::channel();
        let mut state = lock(&self.state);
        if let Some(waiters) = state.waiters.get_mut(&key) {
            // What takes long must not collect the calls that gave up meanwhile.
            waiters.retain(|waiter| !waiter.is_closed());
            waiters.push(sender);
            return receiver;
        }
        state.waiters.insert(key.clone(), vec![sender]);
        if state.threads == MAX_THREADS {
            state.queued.push_back(key);
            return receiver;
        }
        state.threads += 1;
        drop(state);
        let first = key.clone();
        if let Err(error) = (self.spawn)(self.thread_name, Box::new(move || self.work_through(first))) {
            self.fail(&key, &format!("no thread could be started for it: {error}"));
        }
        receiver
    }

    /// After no thread could be started: nothing waits for a thread that does not exist.
    fn fail(&self, key: &K, why: &str) {
        let mut state = lock(&self.state);
        state.threads -= 1;
        let mut waiters = state.waiters.remove(key).unwrap_or_default();
        if state.threads == 0 {
            for queued in std::mem::take(&mut state.queued) {
                waiters.extend(state.waiters.remove(&queued).unwrap_or_default());
            }
        }
        drop(state);
        send(waiters, &(self.failed)(why));
    }

    /// Does the work of `key`, and then whatever is queued and still waited for.
    fn work_through(&self, mut key: K) {
        loop {
            // After a panic the waiters must still get a result, and the thread must still be counted down.
            let result = catch_unwind(AssertUnwindSafe(|| (self.work)(&key)))
                .unwrap_or_else(|_| (self.failed)("a panic was caught; please report it"));
            let mut state = lock(&self.state);
            let waiters = state.waiters.remove(&key).unwrap_or_default();
            let next = next_wanted(&mut state);
            if next.is_none() {
                state.threads -= 1;
            }
            drop(state);
            send(waiters, &result);
            match next {
                Some(next) => key = next,
                None => return,
            }
        }
    }
}

/// Returns what is queued next and still waited for.
fn next_wanted<K: Ord, T>(state: &mut State<K, T>) -> Option<K> {
    while let Some(key) = state.queued.pop_front() {
        if state.waiters.get(&key).is_some_and(|waiters| waiters.iter().any(|waiter| !waiter.is_closed())) {
            return Some(key);
        }
        state.waiters.remove(&key);
    }
    None
}

fn send<T: Clone>(waiters: Vec<oneshot::Sender<T>>, result: &T) {
    for waiter in waiters {
        // A waiter that gave up has dropped its receiver.
        let _ = waiter.send(result.clone());
    }
}

fn spawn(name: &'static str, work: Box<dyn FnOnce() + Send>) -> io::Result<()> {
    let thread = thread::Builder::new().name(name.to_owned());
    with_all_blocked(|| thread.spawn(work)).map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    type Work = BlockingWork<u32, Result<u32, String>>;

    fn leaked(work: fn(&u32) -> Result<u32, String>, spawn: Spawn) -> &'static Work {
        let made = Work::new("test", work, |why| Err(why.to_owned()));
        Box::leak(Box::new(Work { spawn, ..made }))
    }

    #[test]
    fn a_panic_leaves_no_waiter_and_no_thread_counted() {
        let work = leaked(|key| if *key == 0 { panic!("on purpose") } else { Ok(*key) }, spawn);
        // As often as there may be threads, and once more.
        for _ in 0..=MAX_THREADS {
            let result = work.start(0).blocking_recv().unwrap();
            assert!(result.unwrap_err().contains("panic"));
        }
        assert_eq!(work.start(7).blocking_recv().unwrap(), Ok(7));
    }

    #[test]
    fn without_a_thread_all_that_waits_for_one_fails() {
        static STARTING: Mutex<Option<mpsc::Receiver<()>>> = Mutex::new(None);
        let (proceed, starting) = mpsc::channel();
        *lock(&STARTING) = Some(starting);
        let work = leaked(
            |key| Ok(*key),
            |_, _| {
                // Until more is queued than there are threads.
                lock(&STARTING).as_ref().unwrap().recv().unwrap();
                Err(io::Error::from(io::ErrorKind::WouldBlock))
            },
        );
        thread::scope(|scope| {
            let count = MAX_THREADS as u32;
            let started: Vec<_> = (0..count).map(|key| scope.spawn(move || work.start(key))).collect();
            while lock(&work.state).threads < MAX_THREADS {
                thread::yield_now();
            }
            let queued = work.start(count);
            started.iter().for_each(|_| proceed.send(()).unwrap());
            for started in started {
                assert!(started.join().unwrap().blocking_recv().unwrap().is_err());
            }
            assert!(queued.blocking_recv().unwrap().unwrap_err().contains("no thread"));
        });
        assert!(lock(&work.state).waiters.is_empty());
    }

    #[test]
    fn waiters_that_gave_up_do_not_pile_up() {
        static HOLD: Mutex<()> = Mutex::new(());
        let held = lock(&HOLD);
        let work = leaked(
            |key| {
                drop(lock(&HOLD));
                Ok(*key)
            },
            spawn,
        );
        for _ in 0..100 {
            drop(work.start(1));
        }
        let last = work.start(1);
        assert_eq!(lock(&work.state).waiters[&1].len(), 1);
        drop(held);
        assert_eq!(last.blocking_recv().unwrap(), Ok(1));
    }
}
