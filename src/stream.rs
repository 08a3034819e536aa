//! A streamed response: its reader drives the call, chunk by chunk.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};

use crate::call::{Call, naming};
use crate::deadline::Deadline;
use crate::driver::blocking::{Drive, where_runtimes_run};
use crate::driver::client_state::ClientState;
use crate::driver::interrupt::{Interrupt, Interrupts};
use crate::error::Error;
use crate::outcome::Outcome;
use crate::platform::per_process::{OfOneProcess, ThisProcess};
use crate::platform::signals::SigpipeBlocked;
use crate::request::invocation::Invocation;
use crate::response::chunks::Chunks;
use crate::status::{Execution, Status};

/// The response of [`Client::invoke_stream`](crate::Client::invoke_stream), read as it is made.
///
/// Nothing is sent before the first [`next`](Self::next), with which the call and its timeout begin. From then on it counts
/// as one of the calls under way, and has a connection to itself, until it is over or dropped. The reader sets the pace: at
/// most 1 MiB waits inside the library.
///
/// A chunk of up to 128 KiB is handed out only after its checksum was verified, a longer one as it arrives. A call is never
/// retried once a chunk was handed out. Dropping a stream that is not over closes its connection.
///
/// Reading blocks the thread. On one that belongs to a tokio runtime, each wait starts a thread, as a call there does (see
/// [`Client::invoke`](crate::Client::invoke)). A stream may move to another thread at any time.
pub struct ResponseStream {
    /// The function, for messages; empty if the call was refused.
    function: String,
    chunks: Chunks,
    deadline: Deadline,
    /// What `next` gave last.
    current: Bytes,
    call: OfOneProcess<Progress>,
    /// The process that made the call; `None` if the call was refused.
    made_in: Option<ThisProcess>,
    /// How the call ended, which the reader may not have reached.
    outcome: Option<Outcome>,
    was_begun: bool,
    /// The reader has seen the end.
    is_over: bool,
}

/// How far the call is. It belongs to the process that made it.
enum Progress {
    New { client: Arc<ClientState>, call: Box<Call> },
    UnderWay(Box<Drive>),
}

/// What [`ResponseStream::next`] gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received<'s> {
    /// The next bytes, at least one.
    Chunk(&'s [u8]),
    /// None arrived in time.
    Pending,
    /// The stream is over. [`ResponseStream::finish`] tells more.
    Ended(Status),
}

/// Cancels a stream, from any thread.
#[derive(Clone, Debug)]
pub struct StreamCanceller(Deadline);

impl StreamCanceller {
    /// Makes the [`ResponseStream::next`] that waits, and all later ones, end with [`Status::Cancelled`].
    pub fn cancel(&self) {
        self.0.cancel();
    }
}

/// Lets the compiler check that a stream can move to another thread.
const fn is_sent<T: Send>() {}
const _: () = is_sent::<ResponseStream>();

impl ResponseStream {
    pub(crate) fn new(client: &Arc<ClientState>, invocation: &Invocation) -> Self {
        let chunks = Chunks::default();
        match Call::streamed(Arc::clone(&client.shared), invocation, chunks.clone()) {
            Ok(call) => {
                let mut stream = Self::with(chunks, None);
                stream.function.clone_from(&invocation.request.function_name);
                stream.deadline = call.deadline().clone();
                stream.made_in = Some(ThisProcess::here());
                stream.call = OfOneProcess::new(Progress::New { client: Arc::clone(client), call });
                stream
            }
            Err(error) => Self::refused(client.shared.refuse(invocation, &error)),
        }
    }

    /// Makes a stream of a call that was refused before it began.
    pub(crate) fn refused(outcome: Outcome) -> Self {
        Self::with(Chunks::default(), Some(outcome))
    }

    /// Makes a stream without a call.
    fn with(chunks: Chunks, outcome: Option<Outcome>) -> Self {
        Self {
            function: String::new(),
            chunks,
            deadline: Deadline::new(None),
            current: Bytes::new(),
            call: OfOneProcess::empty(),
            made_in: None,
            outcome,
            was_begun: false,
            is_over: false,
        }
    }

    /// Returns whether this is a forked child. Then what the call came to, and the chunks that were received, are its parent's,
    /// however far the parent has read.
    fn is_anothers(&self) -> bool {
        self.made_in.is_some_and(|process| !process.is_still())
    }

    /// Returns what cancels this stream.
    pub fn canceller(&self) -> StreamCanceller {
        StreamCanceller(self.deadline.clone())
    }

    /// Waits for the next bytes, for `wait` at most, or without a limit if that is `None`. The wait may be exceeded while
    /// the credentials callback runs.
    pub fn next(&mut self, wait: Option<Duration>) -> Received<'_> {
        self.next_interruptible(wait, None)
    }

    /// Waits for the next bytes as [`next`](Self::next) does, and polls `interrupt` on this thread while it waits, at least
    /// every 100 ms. `true` ends the call.
    pub fn next_interruptible(&mut self, wait: Option<Duration>, interrupt: Option<Interrupt<'_>>) -> Received<'_> {
        self.current = Bytes::new();
        if self.deadline.is_cancelled() || self.is_anothers() {
            return Received::Ended(Status::Cancelled);
        }
        let mut chunk = self.chunks.take();
        if chunk.is_none() && self.outcome.is_none() {
            if let Err(error) = self.drive(wait, interrupt) {
                return Received::Ended(error.status());
            }
            if self.deadline.is_cancelled() {
                return Received::Ended(Status::Cancelled);
            }
            chunk = self.chunks.take();
        }
        match (chunk, &self.outcome) {
            (Some(chunk), _) => {
                self.current = chunk;
                Received::Chunk(&self.current)
            }
            (None, Some(outcome)) => {
                self.is_over = true;
                Received::Ended(outcome.status)
            }
            (None, None) => Received::Pending,
        }
    }

    /// Makes the outcome of a stream in a forked child: what becomes of the call, only its parent will know.
    pub(crate) fn outcome_in_child() -> Outcome {
        let message = "the stream belongs to the parent process, which made it";
        Outcome::without_response(Status::Cancelled, Execution::Unknown, message)
    }

    /// Ends the stream wherever it is, and returns what became of the call. Its status is [`Status::Cancelled`] unless
    /// `next` has given the end. Its payload is empty.
    pub fn finish(mut self) -> Outcome {
        self.end()
    }

    fn end(&mut self) -> Outcome {
        if self.is_anothers() {
            let in_child = self.named(Self::outcome_in_child());
            return if self.was_begun { in_child } else { Outcome { execution: Execution::None, ..in_child } };
        }
        if self.outcome.is_none() {
            self.deadline.cancel();
            // Where no thread can be started for it, the call is dropped without a word.
            let _ = self.drive(None, None);
        }
        let outcome = self.outcome.take().unwrap_or_else(|| {
            self.named(Outcome::without_response(Status::Cancelled, Execution::Unknown, "the stream was ended"))
        });
        // A refused call has nothing to read.
        if self.is_over || outcome.status == Status::Cancelled || outcome.attempts == 0 {
            return outcome;
        }
        self.named(Outcome {
            status: Status::Cancelled,
            error_message: Some("the caller ended the stream before its end".to_owned()),
            ..outcome
        })
    }

    /// Puts the function in front of a message that the call itself did not make.
    fn named(&self, outcome: Outcome) -> Outcome {
        let error_message = outcome.error_message.map(|message| naming(&self.function, message));
        Outcome { error_message, ..outcome }
    }

    /// Polls the call until it hands out chunks, it ends, or the wait is over.
    fn drive(&mut self, wait: Option<Duration>, interrupt: Option<Interrupt<'_>>) -> Result<(), Error> {
        let limit = wait.and_then(|wait| Instant::now().checked_add(wait));
        let Some(progress) = self.call.get_mut() else {
            let message = "an earlier panic ended the call";
            let panicked = Outcome::without_response(Status::Internal, Execution::Unknown, message);
            self.outcome = Some(self.named(panicked));
            return Ok(());
        };
        if let Progress::New { call, .. } = progress {
            let refused = call.start();
            self.deadline = call.deadline().clone();
            self.was_begun = true;
            if refused.is_some() {
                self.outcome = refused;
                return Ok(());
            }
        }
        let deadline = self.deadline.clone();
        let (progress, ended) = where_runtimes_run(interrupt, |interrupt| {
            let _signals = SigpipeBlocked::new();
            let mut drive = match self.call.take() {
                Some(Progress::New { client, call }) => Box::new(Drive::new(client, call)),
                Some(Progress::UnderWay(drive)) => drive,
                None => return (None, None),
            };
            match drive.run(&mut Interrupts::limited(deadline, interrupt, limit)) {
                // Its connection is closed here.
                Some(outcome) => (None, Some(outcome)),
                None => (Some(Progress::UnderWay(drive)), None),
            }
        })?;
        if let Some(progress) = progress {
            self.call = OfOneProcess::new(progress);
        }
        self.outcome = ended;
        Ok(())
    }
}

impl Drop for ResponseStream {
    fn drop(&mut self) {
        if self.outcome.is_none() && self.call.get_mut().is_some() {
            self.end();
        }
    }
}

/// Reads up to the end of a response that is a success. Everything else is an error, also the failure of the function;
/// [`ResponseStream::finish`] tells more.
impl io::Read for ResponseStream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        if self.current.is_empty() || self.is_anothers() {
            match self.next(None) {
                Received::Chunk(_) => {}
                Received::Ended(Status::Ok) => return Ok(0),
                Received::Ended(status) => return Err(io::Error::other(format!("the stream ended: {status:?}"))),
                Received::Pending => return Err(io::ErrorKind::WouldBlock.into()),
            }
        }
        let length = self.current.len().min(into.len());
        self.current.copy_to_slice(&mut into[..length]);
        Ok(length)
    }
}

impl fmt::Debug for ResponseStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseStream").field("outcome", &self.outcome).finish_non_exhaustive()
    }
}
