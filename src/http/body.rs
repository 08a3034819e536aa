//! The body of a request, which knows what was sent: whether any byte of the request may have been handed to the connection.
//!
//! Bytes cannot be counted below reqwest, and a body that is empty is never polled although its request is sent. But hyper
//! asks every body whether it is at its end when it encodes the head of the request, before it flushes anything: until
//! then nothing can have left, and afterwards everything may have. A test pins this against the locked hyper
//! (tests/evidence.rs).

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// Remembers whether a request may have begun to leave.
#[derive(Clone, Debug, Default)]
pub(crate) struct SentTracker(Arc<AtomicBool>);

impl SentTracker {
    /// Returns whether any byte may have been handed to a connection.
    pub(crate) fn may_have_left(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A payload that is being sent, without a copy.
#[derive(Debug)]
pub(crate) struct Payload {
    left: Bytes,
    sent: SentTracker,
}

impl Payload {
    pub(crate) fn new(payload: Bytes, sent: SentTracker) -> Self {
        Self { left: payload, sent }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.sent.note();
        match std::mem::take(&mut self.left) {
            last if last.is_empty() => Poll::Ready(None),
            rest => Poll::Ready(Some(Ok(Frame::data(rest)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.sent.note();
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}
