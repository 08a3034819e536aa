//! lambda_queue.

use std::ffi::c_int;
use std::time::Duration;

use super::client::lambda_client;
use super::error::{hand_over, lambda_error};
use super::guard::entry;
use super::handle;
use super::request::lambda_request;
use super::result::{Place, lambda_result};
use super::status::{
    LAMBDA_E_INTERNAL, LAMBDA_E_INVALID_ARGUMENT, LAMBDA_E_NO_MEMORY, LAMBDA_OK, lambda_status, number,
};
use crate::driver::queue::Queue;
use crate::platform::reserve;

/// Calls under way and their results, of any number of clients. Owned by the caller: lambda_queue_free. Every function but
/// lambda_queue_free may be called from any thread at any time. The first submit starts one library thread with all signals
/// blocked, which drives all calls of the queue and ends with it. Costs one descriptor, with the thread four; each call under
/// way costs one, its connection. In a forked child a queue is empty and can be used; the calls under way are its parent's.
pub struct lambda_queue {
    queue: Queue,
}

// SAFETY: the type is opaque to C.
unsafe impl handle::Object for lambda_queue {
    type Inside = Self;
}

impl handle::OwnedByCaller for lambda_queue {}

/// Makes an empty queue. Does not block.
///
/// @param queue Set only on success; owned by the caller: lambda_queue_free.
/// @param error NULL, or set only on failure; owned by the caller: lambda_error_free.
///
/// # Safety
/// `queue` and `error` are NULL or valid for writes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_queue_new(
    queue: *mut *mut lambda_queue,
    error: *mut *mut lambda_error,
) -> lambda_status {
    // SAFETY: the caller guarantees it.
    unsafe { hand_over("queue", queue, error, || Ok(lambda_queue { queue: Queue::new()? })) }
}

/// Submits a call and does not wait for it. Takes a snapshot of the request, without copying its payload, so the request
/// may be changed or freed at once; its interrupt is not polled. The call's deadline begins now. What exceeds the client's
/// max_connections waits for its turn, in order, inside its own deadline.
///
/// @param tag Any number; the result carries it.
/// @return LAMBDA_OK: exactly one completion comes for it, whatever happens, and not before this function has returned. A
///         request that cannot be sent is accepted too: its completion tells why. Any other status: no completion comes.
///
/// # Safety
/// See [`handle::as_ref`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_queue_submit(
    queue: *mut lambda_queue,
    client: *const lambda_client,
    request: *const lambda_request,
    tag: u64,
) -> lambda_status {
    entry(
        |_| LAMBDA_E_INTERNAL,
        || {
            // SAFETY: the header's conventions.
            let (queue, client, request) =
                unsafe { (handle::as_ref(queue), handle::as_ref(client), handle::as_ref(request)) };
            let (Some(queue), Some(client), Some(request)) = (queue, client, request) else {
                return LAMBDA_E_INVALID_ARGUMENT;
            };
            if reserve::is_low() {
                return LAMBDA_E_NO_MEMORY;
            }
            let (queue, client) = (&queue.queue, &client.client);
            let submitted = match request.usable() {
                Ok(()) => client.submit_call(queue, request.invocation(), tag),
                Err(error) => client.submit_refused(queue, request.invocation(), &error, tag),
            };
            submitted.map_or_else(|error| number(error.status()), |()| LAMBDA_OK)
        },
    )
}

/// Returns the next completion, in the order of completion. Several threads may wait; each completion and each wake goes to
/// one of them. Blocks until a completion or a wake comes, at most for the timeout.
///
/// @param timeout_ms Milliseconds; 0 does not wait, -1 waits for ever.
/// @return The result of a call; owned by the caller: lambda_result_free. NULL: none came in time, or a wake was taken, or
///         there is no memory for the result now, which then stays in the queue.
///
/// # Safety
/// See [`handle::as_ref`].
#[must_use]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_queue_next(queue: *mut lambda_queue, timeout_ms: i64) -> *mut lambda_result {
    entry(
        |_| std::ptr::null_mut(),
        || {
            // SAFETY: the header's conventions.
            let Some(queue) = (unsafe { handle::as_ref(queue) }) else { return std::ptr::null_mut() };
            let timeout = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
            match queue.queue.next_into(timeout, Place::new) {
                Some((completion, place)) => place.fill(completion.outcome, completion.tag),
                None => std::ptr::null_mut(),
            }
        },
    )
}

/// Returns a descriptor for the application's event loop: it is readable while a completion or a wake waits
/// (level-triggered). Take them with lambda_queue_next(queue, 0) until it returns NULL. Never read, write or close it. Does
/// not block.
///
/// @return The same until lambda_queue_free, or until a fork: a child asks anew. -1 for a NULL queue, where the system has
///         no such thing, and in a child that had no descriptor left for it.
///
/// # Safety
/// See [`handle::as_ref`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_queue_fd(queue: *const lambda_queue) -> c_int {
    // SAFETY: the header's conventions.
    entry(|_| -1, || unsafe { handle::as_ref(queue) }.and_then(|queue| queue.queue.descriptor()).unwrap_or(-1))
}

/// Cancels every call under way with this tag. Their completions still come, with LAMBDA_E_CANCELLED unless they were done
/// before; execution tells whether the function may have run. Does not block.
///
/// @return LAMBDA_OK, also if there was none; LAMBDA_E_INVALID_ARGUMENT for a NULL queue.
///
/// # Safety
/// See [`handle::as_ref`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_queue_cancel(queue: *mut lambda_queue, tag: u64) -> lambda_status {
    entry(
        |_| LAMBDA_E_INTERNAL,
        || {
            // SAFETY: the header's conventions.
            let Some(queue) = (unsafe { handle::as_ref(queue) }) else { return LAMBDA_E_INVALID_ARGUMENT };
            queue.queue.cancel(tag);
            LAMBDA_OK
        },
    )
}

/// Returns how many calls were accepted and not yet taken with lambda_queue_next.
///
/// @return 0 for a NULL queue.
///
/// # Safety
/// See [`handle::as_ref`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_queue_in_flight(queue: *const lambda_queue) -> usize {
    // SAFETY: the header's conventions.
    entry(|_| 0, || unsafe { handle::as_ref(queue) }.map_or(0, |queue| queue.queue.in_flight()))
}

/// Makes one lambda_queue_next return NULL: one that waits, or else the next one that finds no completion. Wakes are
/// counted. Does not block.
///
/// # Safety
/// See [`handle::as_ref`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_queue_wake(queue: *mut lambda_queue) {
    entry(drop, || {
        // SAFETY: the header's conventions.
        if let Some(queue) = unsafe { handle::as_ref(queue) } {
            queue.queue.wake();
        }
    });
}

/// Frees a queue, which must not be used afterwards: no other thread may be inside one of its functions, so wake them first.
/// NULL does nothing. Cancels the calls that are left, drops the results that were not taken, and waits for the library
/// thread to end, but not for the network.
///
/// # Safety
/// See [`handle::free`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_queue_free(queue: *mut lambda_queue) {
    // SAFETY: the header's conventions.
    entry(drop, || unsafe { handle::free(queue) });
}
