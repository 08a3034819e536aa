//! lambda_stream.

use std::sync::{Mutex, TryLockError};
use std::time::Duration;

use super::client::lambda_client;
use super::guard::entry;
use super::handle;
use super::request::{Interrupt, lambda_request};
use super::result::{into_raw, lambda_result, panicked, refused};
use super::status::{
    LAMBDA_E_CANCELLED, LAMBDA_E_INTERNAL, LAMBDA_E_INVALID_ARGUMENT, LAMBDA_E_NO_MEMORY, LAMBDA_END,
    LAMBDA_FUNCTION_ERROR, LAMBDA_OK, LAMBDA_PENDING, lambda_status, number,
};
use crate::error::Error;
use crate::lock::lock;
use crate::outcome::Outcome;
use crate::platform::per_process::ThisProcess;
use crate::platform::reserve;
use crate::status::Status;
use crate::stream::{Received, ResponseStream, StreamCanceller};

/// One response, read as it is made. Owned by the caller: lambda_stream_finish. One thread at a time reads it, but not
/// always the same one; lambda_stream_cancel may be called from any thread. From the first lambda_stream_next until its
/// end, it is one of the client's calls under way, and keeps a connection of 4 descriptors.
pub struct lambda_stream {
    process: ThisProcess,
    canceller: StreamCanceller,
    reading: Mutex<Option<Reading>>,
}

/// What the thread that reads needs.
struct Reading {
    stream: ResponseStream,
    interrupt: Option<Interrupt>,
}

// SAFETY: the type is opaque to C.
unsafe impl handle::Object for lambda_stream {
    type Inside = Self;
}

impl handle::OwnedByCaller for lambda_stream {}

/// The stream that is returned when there is no memory for one. It is never read and never freed.
static NO_MEMORY: u8 = 0;

fn without_memory() -> *mut lambda_stream {
    (&raw const NO_MEMORY).cast_mut().cast()
}

impl lambda_stream {
    /// Runs `work` on what the reading thread needs. `None`: the stream is another process's, which may have been reading
    /// when it forked.
    fn with<T>(&self, work: impl FnOnce(&mut Option<Reading>) -> T) -> Option<T> {
        if self.process.is_still() {
            return Some(work(&mut lock(&self.reading)));
        }
        match self.reading.try_lock() {
            Ok(mut reading) => Some(work(&mut reading)),
            Err(TryLockError::Poisoned(reading)) => Some(work(&mut reading.into_inner())),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// Invokes a function whose response is read as it is made (InvokeWithResponseStream). Does not block: the first
/// lambda_stream_next sends the request, and with it the call's timeout begins. The request may be changed or freed at
/// once. An EVENT and a durable execution name are refused.
///
/// ```c
/// lambda_stream *stream = lambda_invoke_stream(client, request);
/// const uint8_t *data;
/// size_t len;
/// while (lambda_stream_next(stream, -1, &data, &len) == LAMBDA_OK) {
///     fwrite(data, 1, len, stdout);
/// }
/// lambda_result *result = lambda_stream_finish(stream);
/// if (result->status != LAMBDA_OK) {
///     fprintf(stderr, "%s\n", result->error_message);
/// }
/// lambda_result_free(result);
/// ```
///
/// @return Never NULL: every failure is the status of lambda_stream_next and in the result. Owned by the caller:
///         lambda_stream_finish.
///
/// # Safety
/// See [`handle::as_ref`].
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_invoke_stream(
    client: *const lambda_client,
    request: *const lambda_request,
) -> *mut lambda_stream {
    entry(
        |_| without_memory(),
        || {
            if reserve::is_low() {
                return without_memory();
            }
            // SAFETY: the header's conventions.
            let (client, request) = unsafe { (handle::as_ref(client), handle::as_ref(request)) };
            let refuse = |why| ResponseStream::refused(Outcome::refused(&Error::argument(why)));
            let stream = match (client, request) {
                (None, _) => refuse("client: is NULL"),
                (_, None) => refuse("request: is NULL"),
                (Some(client), Some(request)) => match request.usable() {
                    Ok(()) => client.client.stream(request.invocation()),
                    Err(error) => ResponseStream::refused(client.client.refuse(request.invocation(), &error)),
                },
            };
            let made = handle::into_raw::<lambda_stream>(lambda_stream {
                process: ThisProcess::here(),
                canceller: stream.canceller(),
                reading: Mutex::new(Some(Reading { stream, interrupt: request.and_then(lambda_request::interrupt) })),
            });
            if made.is_null() { without_memory() } else { made }
        },
    )
}

/// Waits for the next bytes of a response, and polls the request's interrupt meanwhile. The reader sets the pace: at most
/// 1 MiB waits in the library. A chunk of up to 128 KiB is handed out after its checksum was verified, a longer one as it
/// arrives. Never retried once bytes were handed out.
///
/// @param timeout_ms How long to wait: 0 only looks, -1 waits until there are bytes, or the stream is over.
/// @param data On LAMBDA_OK the next bytes, which live until the next lambda_stream_next or lambda_stream_finish with this
///             stream; else NULL.
/// @param len On LAMBDA_OK their number, at least 1; else 0.
/// @return LAMBDA_OK; LAMBDA_PENDING: no bytes came in time, call again; LAMBDA_END: the stream is over, and the result's
///         status is LAMBDA_OK or LAMBDA_FUNCTION_ERROR; LAMBDA_E_*: why the stream broke.
///
/// # Safety
/// See [`handle::as_ref`]; `data` and `len` are NULL or valid for writes.
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_stream_next(
    stream: *mut lambda_stream,
    timeout_ms: i64,
    data: *mut *const u8,
    len: *mut usize,
) -> lambda_status {
    let hand_out = |bytes: &[u8]| {
        if !data.is_null() {
            // SAFETY: not NULL, and so valid for writes.
            unsafe { data.write(if bytes.is_empty() { std::ptr::null() } else { bytes.as_ptr() }) };
        }
        if !len.is_null() {
            // SAFETY: not NULL, and so valid for writes.
            unsafe { len.write(bytes.len()) };
        }
    };
    hand_out(&[]);
    let body = || {
        let wait = match timeout_ms {
            -1 => None,
            _ => match u64::try_from(timeout_ms) {
                Ok(ms) => Some(Duration::from_millis(ms)),
                Err(_) => return LAMBDA_E_INVALID_ARGUMENT,
            },
        };
        if data.is_null() || len.is_null() {
            return LAMBDA_E_INVALID_ARGUMENT;
        }
        if std::ptr::eq(stream, without_memory()) {
            return LAMBDA_E_NO_MEMORY;
        }
        // SAFETY: the header's conventions. Another thread may cancel it meanwhile, through a shared reference as well.
        let Some(stream) = (unsafe { handle::as_ref(stream) }) else { return LAMBDA_E_INVALID_ARGUMENT };
        let read = |reading: &mut Option<Reading>| {
            let Some(Reading { stream, interrupt }) = reading else { return LAMBDA_E_INTERNAL };
            let received = match *interrupt {
                Some(interrupt) => stream.next_interruptible(wait, Some(&mut || interrupt.poll())),
                None => stream.next(wait),
            };
            match received {
                Received::Chunk(bytes) => {
                    hand_out(bytes);
                    LAMBDA_OK
                }
                Received::Pending => LAMBDA_PENDING,
                Received::Ended(status) => match number(status) {
                    LAMBDA_OK | LAMBDA_FUNCTION_ERROR => LAMBDA_END,
                    status => status,
                },
            }
        };
        stream.with(read).unwrap_or(LAMBDA_E_CANCELLED)
    };
    entry(|_| LAMBDA_E_INTERNAL, body)
}

/// Makes the lambda_stream_next that waits, and all later ones, return LAMBDA_E_CANCELLED. May be called from any thread
/// until lambda_stream_finish. NULL does nothing. Does not block.
///
/// # Safety
/// See [`handle::as_ref`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_stream_cancel(stream: *mut lambda_stream) {
    entry(drop, || {
        if std::ptr::eq(stream, without_memory()) {
            return;
        }
        // SAFETY: the header's conventions.
        if let Some(stream) = unsafe { handle::as_ref(stream) }
            && stream.process.is_still()
        {
            stream.canceller.cancel();
        }
    });
}

/// Ends and frees a stream wherever it is, and returns what became of the call: LAMBDA_E_CANCELLED unless
/// lambda_stream_next has returned the end, LAMBDA_END or LAMBDA_E_*. A stream that is not over closes its connection.
/// The stream must not be used afterwards.
///
/// @return Never NULL. Its payload is empty. Owned by the caller: lambda_result_free.
///
/// # Safety
/// See [`handle::free`].
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_stream_finish(stream: *mut lambda_stream) -> *mut lambda_result {
    entry(panicked, || {
        if std::ptr::eq(stream, without_memory()) {
            return refused(&Error::new(Status::NoMemory, "there is no memory for the stream"));
        }
        // SAFETY: the header's conventions.
        let Some(inside) = (unsafe { handle::as_ref(stream) }) else {
            return refused(&Error::argument("stream: is NULL"));
        };
        let Some(reading) = inside.with(Option::take) else {
            // A thread of the parent's was reading at the fork: what it used is left as it is.
            return into_raw(ResponseStream::outcome_in_child());
        };
        // SAFETY: the header's conventions.
        unsafe { handle::free(stream) };
        match reading {
            Some(reading) => into_raw(reading.stream.finish()),
            None => refused(&Error::new(Status::Internal, "the stream has no reader")),
        }
    })
}
