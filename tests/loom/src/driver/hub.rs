//! The hub of the model: it drives the calls of a queue on one thread, without a runtime.

use std::future::poll_fn;
use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use loom::future::block_on;

use crate::driver::submissions::{Duty, Submissions, Submitted, Work};
use crate::error::Error;
use crate::lock::thread::{self, JoinHandle};

/// The hub has ended as if by a panic.
struct Broken;

pub(crate) fn start<S: Submissions>(queue: &Arc<S>) -> Result<JoinHandle<()>, Error> {
    let queue = Arc::clone(queue);
    Ok(thread::spawn(move || {
        let mut calls = Vec::new();
        let ended = block_on(poll_fn(|context| poll(&*queue, &mut calls, context)));
        drop(calls);
        if ended.is_err() {
            queue.hub_broke();
        }
    }))
}

/// Begins what was submitted, then polls each call once. A call that ends does not wake the hub; its completion has to.
fn poll<S: Submissions>(
    queue: &S,
    calls: &mut Vec<Submitted<S::Duty>>,
    context: &mut Context<'_>,
) -> Poll<Result<(), Broken>> {
    while let Poll::Ready(work) = queue.poll_work(context.waker()) {
        match work {
            Work::Begin(submitted) => calls.extend(submitted),
            Work::End => return Poll::Ready(Ok(())),
        }
    }
    for submitted in mem::take(calls) {
        if submitted.call.breaks_the_hub() {
            return Poll::Ready(Err(Broken));
        }
        match submitted.call.poll(context) {
            Poll::Ready(outcome) => submitted.duty.complete(outcome),
            Poll::Pending => calls.push(submitted),
        }
    }
    Poll::Pending
}
