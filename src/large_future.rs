//! Futures that are large and rare: what they need of the stack is taken only while they run.

use std::future::Future;
use std::pin::Pin;

/// Puts a future on the heap. It is made and polled in functions of its own: otherwise the compiler would put it into the
/// stack frame of the one that awaits it, and every call would need that stack.
#[inline(never)]
pub(crate) fn on_heap<'f, T, F: Future<Output = T> + Send + 'f>(
    make: impl FnOnce() -> F,
) -> Pin<Box<dyn Future<Output = T> + Send + 'f>> {
    Box::pin(make())
}
