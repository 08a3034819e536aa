//! The state of a process, and that of its child after a fork.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;

use crate::check;
use crate::platform::per_process::{OfOneProcess, PerProcess, this_process};
use crate::platform::process_mark::fork;

pub(crate) fn check_all() {
    check("a child makes one value", a_child_makes_one_value);
    check("a child has one number", a_child_has_one_number);
    check("a child leaks what is its parent's", a_child_leaks_what_is_its_parents);
}

/// Counts those that were dropped. Loom fails if one is read before it is known to be written.
struct Value {
    maker: UnsafeCell<u32>,
    dropped: Arc<AtomicU32>,
}

// SAFETY: nobody writes it any more once it is shared, which loom checks.
unsafe impl Sync for Value {}

impl Value {
    fn new(maker: u32, dropped: &Arc<AtomicU32>) -> Self {
        Self { maker: UnsafeCell::new(maker), dropped: Arc::clone(dropped) }
    }

    fn maker(&self) -> u32 {
        // SAFETY: nobody writes it any more.
        self.maker.with(|maker| unsafe { *maker })
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// Three threads of a child use a value for the first time. Without a parent's value, the first use takes the same steps.
fn a_child_makes_one_value() {
    let dropped = Arc::new(AtomicU32::new(0));
    let made = Arc::new(AtomicU32::new(0));
    let state = Arc::new(PerProcess::new());
    assert_eq!(state.get_or(|| Value::new(0, &dropped)).maker(), 0);
    fork();
    let value_of = |maker| {
        let (state, made, dropped) = (Arc::clone(&state), Arc::clone(&made), Arc::clone(&dropped));
        move || {
            let value = state.get_or(|| {
                made.fetch_add(1, Ordering::Relaxed);
                Value::new(maker, &dropped)
            });
            (value.maker(), state.get_or(|| unreachable!("there is one")).maker())
        }
    };
    let others = [1, 2].map(|maker| thread::spawn(value_of(maker)));
    let (first, second) = value_of(3)();
    assert!(first != 0 && first == second);
    others.into_iter().for_each(|other| assert_eq!(other.join().unwrap(), (first, first), "there are two values"));
    assert_eq!(dropped.load(Ordering::Relaxed) + 1, made.load(Ordering::Relaxed), "those that came second are dropped");
    drop(Arc::into_inner(state).unwrap());
    assert_eq!(dropped.load(Ordering::Relaxed), made.load(Ordering::Relaxed), "the parent's is not");
}

fn a_child_has_one_number() {
    let parent = this_process();
    fork();
    let others = [(); 2].map(|()| thread::spawn(this_process));
    let child = this_process();
    assert_ne!(child, parent);
    others.into_iter().for_each(|other| assert_eq!(other.join().unwrap(), child));
    fork();
    assert!(![parent, child].contains(&this_process()), "a grandchild is neither");
}

/// Two threads of a child drop what its parent made.
fn a_child_leaks_what_is_its_parents() {
    let dropped = Arc::new(AtomicU32::new(0));
    let [first, second, third] = [1, 2, 3].map(|maker| OfOneProcess::new(Value::new(maker, &dropped)));
    drop(first);
    let state = PerProcess::new();
    state.get_or(|| Value::new(4, &dropped));
    fork();
    let other = thread::spawn(move || drop(second));
    drop(third);
    drop(state);
    other.join().unwrap();
    assert_eq!(dropped.load(Ordering::Relaxed), 1, "the parent's own");
}
