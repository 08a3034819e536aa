//! Hands the chunks of a streamed response from the call to its reader, who sets the pace.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use bytes::Bytes;

use crate::lock::lock;

/// The chunks that the call has received and the reader has not taken. Clones belong to the same stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chunks(Arc<Mutex<VecDeque<Bytes>>>);

impl Chunks {
    /// Waits until the reader has taken all these chunks. Nobody is woken then: the reader polls the call when it needs
    /// more.
    pub(crate) async fn hand_out(&self, chunks: VecDeque<Bytes>) {
        *lock(&self.0) = chunks;
        poll_fn(|_| if self.are_waiting() { Poll::Pending } else { Poll::Ready(()) }).await;
    }

    pub(crate) fn are_waiting(&self) -> bool {
        !lock(&self.0).is_empty()
    }

    /// Takes the chunk that was received first.
    pub(crate) fn take(&self) -> Option<Bytes> {
        lock(&self.0).pop_front()
    }
}
