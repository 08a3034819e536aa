//! A channel for one value, which a task waits for.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use loom::sync::Mutex;

use crate::lock::lock;

struct Channel<T> {
    sent: Result<Option<T>, Closed>,
    receiver: Option<Waker>,
}

/// The sender is gone, and has sent nothing.
#[derive(Debug)]
pub(crate) struct Closed;

pub(crate) struct Sender<T>(Arc<Mutex<Channel<T>>>);

pub(crate) struct Receiver<T>(Arc<Mutex<Channel<T>>>);

pub(crate) fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let channel = Arc::new(Mutex::new(Channel { sent: Ok(None), receiver: None }));
    (Sender(Arc::clone(&channel)), Receiver(channel))
}

impl<T> Sender<T> {
    pub(crate) fn send(self, value: T) -> Result<(), T> {
        lock(&self.0).sent = Ok(Some(value));
        Ok(())
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut channel = lock(&self.0);
        if matches!(channel.sent, Ok(None)) {
            channel.sent = Err(Closed);
        }
        let receiver = channel.receiver.take();
        drop(channel);
        if let Some(receiver) = receiver {
            receiver.wake();
        }
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, Closed>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut channel = lock(&self.0);
        match &mut channel.sent {
            Ok(sent) => {
                if let Some(value) = sent.take() {
                    return Poll::Ready(Ok(value));
                }
            }
            Err(Closed) => return Poll::Ready(Err(Closed)),
        }
        channel.receiver = Some(context.waker().clone());
        Poll::Pending
    }
}
