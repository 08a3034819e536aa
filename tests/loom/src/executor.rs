//! The runtime of a model in the place of tokio's: one thread at a time drives its tasks, and waits while none of them can go
//! on. No time passes, so an alarm rings at once or never.

use std::future::{Future, poll_fn};
use std::task::Poll;

pub(crate) mod oneshot;
pub(crate) mod runtime;

pub(crate) mod sync {
    pub(crate) use super::oneshot;
}

pub(crate) mod task {
    use super::{Future, Poll, poll_fn};

    pub(crate) fn yield_now() -> impl Future<Output = ()> {
        let mut has_yielded = false;
        poll_fn(move |context| {
            if has_yielded {
                return Poll::Ready(());
            }
            has_yielded = true;
            context.waker().wake_by_ref();
            Poll::Pending
        })
    }
}

pub(crate) mod time {
    use std::time::Instant;

    use super::{Future, Poll, poll_fn};

    pub(crate) fn sleep_until(until: Instant) -> impl Future<Output = ()> + Send {
        let is_over = until <= Instant::now();
        poll_fn(move |_| if is_over { Poll::Ready(()) } else { Poll::Pending })
    }
}
