//! Hands the chunks of a streamed response from the call to its reader, who sets the pace.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use bytes::Bytes;

use crate::lock::lock;

/// The chunks that the call has received and the reader has not taken. Clones belong to the same stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chunks(Arc<Mutex<Received>>);

#[derive(Debug, Default)]
struct Received {
    chunks: VecDeque<Bytes>,
    /// The call does not go on before they are taken.
    must_be_taken: bool,
    /// The reader has taken one.
    has_begun: bool,
}

impl Chunks {
    /// Adds one. The reader may take it at once.
    pub(crate) fn push(&self, chunk: Bytes) {
        lock(&self.0).chunks.push_back(chunk);
    }

    /// Returns whether there are chunks that others may join before they are handed out. The first ones are not held back.
    pub(crate) fn may_grow(&self) -> bool {
        let received = lock(&self.0);
        received.has_begun && !received.chunks.is_empty()
    }

    /// Waits until the reader has taken all chunks. Nobody is woken then: the reader polls the call when it needs more.
    pub(crate) async fn hand_out(&self) {
        lock(&self.0).must_be_taken = true;
        poll_fn(|_| if self.are_waiting() { Poll::Pending } else { Poll::Ready(()) }).await;
        lock(&self.0).must_be_taken = false;
    }

    /// Returns whether the call waits for the reader.
    pub(crate) fn are_waiting(&self) -> bool {
        let received = lock(&self.0);
        received.must_be_taken && !received.chunks.is_empty()
    }

    /// Takes the chunk that was received first.
    pub(crate) fn take(&self) -> Option<Bytes> {
        let mut received = lock(&self.0);
        let chunk = received.chunks.pop_front()?;
        received.has_begun = true;
        Some(chunk)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    #[test]
    fn only_the_first_chunks_are_handed_out_at_once() {
        let chunks = Chunks::default();
        assert!(!chunks.may_grow(), "nothing waits");
        chunks.push(Bytes::from_static(b"one"));
        assert!(!chunks.may_grow(), "the first is not held back");
        assert_eq!(chunks.take().as_deref(), Some(&b"one"[..]));
        assert!(!chunks.may_grow(), "nothing waits");
        chunks.push(Bytes::from_static(b"two"));
        assert!(chunks.may_grow());
    }

    #[test]
    fn the_call_waits_until_all_are_taken() {
        let chunks = Chunks::default();
        chunks.push(Bytes::from_static(b"one"));
        chunks.push(Bytes::from_static(b"two"));
        assert!(!chunks.are_waiting(), "more may come");
        let mut context = Context::from_waker(Waker::noop());
        {
            let mut handed_out = pin!(chunks.hand_out());
            for expected in [b"one", b"two"] {
                assert!(handed_out.as_mut().poll(&mut context).is_pending() && chunks.are_waiting());
                assert_eq!(chunks.take().as_deref(), Some(&expected[..]));
            }
            assert!(handed_out.as_mut().poll(&mut context).is_ready());
        }
        assert!(!chunks.are_waiting() && chunks.take().is_none());
    }
}
