//! The body of a request, which bears witness: has any byte of the request been handed to the connection?
//!
//! Nobody can count bytes below reqwest, and a body that is empty is never polled although its request is sent. But
//! hyper asks every body whether it is at its end when it encodes the head of the request, before it flushes anything:
//! until that question nothing can have left, and after it everything may have. A test pins this against the locked
//! hyper (tests/evidence.rs).

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
    /// Whether any byte may have been handed to a connection.
    pub(crate) fn may_have_left(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A payload on its way, never copied.
#[derive(Debug)]
pub(crate) struct Payload {
    left: Bytes,
    witness: SentTracker,
}

impl Payload {
    pub(crate) fn new(payload: Bytes, witness: SentTracker) -> Self {
        Self { left: payload, witness }
    }
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.witness.note();
        match std::mem::take(&mut self.left) {
            last if last.is_empty() => Poll::Ready(None),
            rest => Poll::Ready(Some(Ok(Frame::data(rest)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.witness.note();
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}
