//! The queue: its completions, who is told of them, and its descriptor.

use std::sync::Arc;
use std::time::Duration;

use loom::thread::{self, JoinHandle};

use crate::call::Shared;
use crate::check;
use crate::driver::client_state::ClientState;
use crate::driver::queue::{Completion, Queue};
use crate::lock::wake_spuriously;
use crate::platform::event::Event;
use crate::platform::process_mark::fork;
use crate::request::invocation::Invocation::{self, BreaksTheHub, Ends, EndsIfCancelled, Refused};
use crate::status::Status;

pub(crate) fn check_all() {
    check("each call has one completion", each_call_has_one_completion);
    check("the descriptor is readable while a completion waits", the_descriptor_is_readable_while_a_completion_waits);
    check("an event loop misses nothing", an_event_loop_misses_nothing);
    check("a wake ends one wait", a_wake_ends_one_wait);
    check("spurious wake-ups lose nothing", spurious_wake_ups_lose_nothing);
    check("a cancelled call ends", a_cancelled_call_ends);
    check("a call that ends is cancelled", a_call_that_ends_is_cancelled);
    check("a completion without a place goes to another", a_completion_without_a_place_goes_to_another);
    check("a queue ends with calls under way", a_queue_ends_with_calls_under_way);
    check("a hub breaks", a_hub_breaks);
    check("a child has a queue of its own", a_child_has_a_queue_of_its_own);
}

fn submit(queue: &Queue, invocation: Invocation, tag: u64) {
    queue.state().submit(Arc::new(ClientState { shared: Arc::new(Shared) }), &invocation, tag).unwrap();
}

fn with_queue<T: 'static>(queue: &Arc<Queue>, run: impl FnOnce(&Queue) -> T + 'static) -> JoinHandle<T> {
    let queue = Arc::clone(queue);
    thread::spawn(move || run(&queue))
}

fn take(queue: &Queue) -> (u64, Status) {
    let Completion { tag, outcome } = queue.next(None).unwrap();
    (tag, outcome.status)
}

/// Ends a queue of which every completion was taken. Loom fails if its thread does not end.
fn end(queue: Arc<Queue>, descriptor: Option<i32>) {
    assert_eq!(queue.in_flight(), 0);
    assert!(queue.next(Some(Duration::ZERO)).is_none(), "there is a completion too many");
    assert!(!descriptor.is_some_and(|descriptor| Event::of(descriptor).is_readable()), "the descriptor stays readable");
    free(queue);
}

/// Frees a queue, of which nothing must be left.
fn free(queue: Arc<Queue>) {
    let state = Arc::downgrade(queue.state());
    drop(Arc::into_inner(queue).unwrap());
    assert_eq!(state.strong_count(), 0, "something of the queue is left");
}

/// Two threads submit a call each, and take what comes first. Returns both completions, in the order of the calls.
fn submit_and_take(queue: &Arc<Queue>, [first, second]: [Invocation; 2]) -> [(u64, Status); 2] {
    let other = with_queue(queue, move |queue| {
        submit(queue, first, 1);
        take(queue)
    });
    submit(queue, second, 2);
    let mut taken = [take(queue), other.join().unwrap()];
    taken.sort_by_key(|(tag, _)| *tag);
    taken
}

/// One of two calls is refused.
fn each_call_has_one_completion() {
    let queue = Arc::new(Queue::new().unwrap());
    let taken = submit_and_take(&queue, [Refused, Ends]);
    assert_eq!(taken, [(1, Status::InvalidArgument), (2, Status::Ok)]);
    end(queue, None);
}

/// Waits as an event loop does, and takes so many completions.
fn take_when_readable(queue: &Queue, count: usize) {
    let event = Event::of(queue.descriptor().unwrap());
    let mut taken = 0;
    while taken < count {
        event.wait();
        match queue.next(Some(Duration::ZERO)) {
            Some(_) => taken += 1,
            // Another thread took it, and may be about to clear the descriptor.
            None => thread::yield_now(),
        }
    }
}

/// A thread takes one of two completions, in the middle of what an event loop does, which begins after the first call.
fn the_descriptor_is_readable_while_a_completion_waits() {
    let queue = Arc::new(Queue::new().unwrap());
    submit(&queue, Ends, 1);
    let event_loop = with_queue(&queue, |queue| take_when_readable(queue, 1));
    submit(&queue, Ends, 2);
    take(&queue);
    event_loop.join().unwrap();
    let descriptor = queue.descriptor();
    end(queue, descriptor);
}

/// A completion comes while an event loop takes the one before it.
fn an_event_loop_misses_nothing() {
    let queue = Arc::new(Queue::new().unwrap());
    let event_loop = with_queue(&queue, |queue| take_when_readable(queue, 2));
    submit(&queue, Ends, 1);
    submit(&queue, Refused, 2);
    event_loop.join().unwrap();
    let descriptor = queue.descriptor();
    end(queue, descriptor);
}

/// Of two threads that wait, one gets the completion and the other one the wake.
fn a_wake_ends_one_wait() {
    let queue = Arc::new(Queue::new().unwrap());
    let descriptor = queue.descriptor();
    submit(&queue, Ends, 1);
    let other = with_queue(&queue, |queue| queue.next(None).is_some());
    queue.wake();
    let taken = [queue.next(None).is_some(), other.join().unwrap()];
    assert_ne!(taken[0], taken[1], "each waits for one thing");
    end(queue, descriptor);
}

/// A waiter that is woken without a reason, which condition variables may do, does not take another one's notification away.
fn spurious_wake_ups_lose_nothing() {
    let queue = Arc::new(Queue::new().unwrap());
    let other = with_queue(&queue, take);
    submit(&queue, Ends, 1);
    wake_spuriously();
    submit(&queue, Ends, 2);
    take(&queue);
    other.join().unwrap();
    end(queue, None);
}

fn a_cancelled_call_ends() {
    let queue = Arc::new(Queue::new().unwrap());
    submit(&queue, EndsIfCancelled, 1);
    let other = with_queue(&queue, |queue| queue.cancel(1));
    assert_eq!(take(&queue), (1, Status::Cancelled));
    other.join().unwrap();
    end(queue, None);
}

fn a_call_that_ends_is_cancelled() {
    let queue = Arc::new(Queue::new().unwrap());
    submit(&queue, Ends, 1);
    let other = with_queue(&queue, |queue| queue.cancel(1));
    assert!([(1, Status::Ok), (1, Status::Cancelled)].contains(&take(&queue)));
    other.join().unwrap();
    end(queue, None);
}

/// A thread that is told of the only completion finds no memory for it. The other one gets it, and then ends the first one's
/// wait, if that has not ended yet.
fn a_completion_without_a_place_goes_to_another() {
    let queue = Arc::new(Queue::new().unwrap());
    let descriptor = queue.descriptor();
    let other = with_queue(&queue, |queue| {
        assert_eq!(take(queue), (1, Status::Ok));
        queue.wake();
    });
    submit(&queue, Ends, 1);
    assert!(queue.next_into(None, || None::<()>).is_none());
    other.join().unwrap();
    end(queue, descriptor);
}

fn a_queue_ends_with_calls_under_way() {
    let queue = Arc::new(Queue::new().unwrap());
    queue.descriptor();
    for (tag, invocation) in (0..).zip([Ends, EndsIfCancelled, Refused]) {
        submit(&queue, invocation, tag);
    }
    free(queue);
}

/// What a hub leaves behind that breaks is completed, and the next call gets another hub.
fn a_hub_breaks() {
    let queue = Arc::new(Queue::new().unwrap());
    let taken = submit_and_take(&queue, [Ends, BreaksTheHub]);
    assert!([(1, Status::Ok), (1, Status::Internal)].contains(&taken[0]));
    assert_eq!(taken[1], (2, Status::Internal));
    end(queue, None);
}

/// Two threads of a child use a queue for the first time, in which its parent had a completion.
fn a_child_has_a_queue_of_its_own() {
    let queue = Arc::new(Queue::new().unwrap());
    let parents = queue.descriptor().unwrap();
    submit(&queue, Refused, 1);
    fork();
    let other = with_queue(&queue, |queue| submit(queue, Ends, 2));
    assert_eq!(take(&queue), (2, Status::Ok));
    other.join().unwrap();
    let descriptor = queue.descriptor();
    assert_ne!(descriptor, Some(parents));
    end(queue, descriptor);
    assert!(Event::of(parents).is_readable(), "the parent's descriptor was changed");
}
