//! State that belongs to one process. After a fork the child has copies of its parent's sockets, epoll instances and
//! locks. It must neither use nor shut these down: it leaves the parent's state untouched and makes its own.

use std::marker::PhantomData;

use crate::lock::atomic::{AtomicPtr, Ordering};
use crate::platform::process_mark::{self, PROCESSES};

/// One value per process. In a forked child the first use makes a new value. The parent's value is leaked there and
/// never dropped, since dropping it would act on descriptors that both processes share.
///
/// An AtomicPtr is Send and Sync whatever it points to; this type is only if its value is.
pub(crate) struct PerProcess<T>(AtomicPtr<Owned<T>>, PhantomData<*mut T>);

// SAFETY: it owns its value, which may be sent.
unsafe impl<T: Send> Send for PerProcess<T> {}
// SAFETY: it hands out shared references to a value that may be shared; and since any thread may make the value and
// another one drop it, the value must be fit to be sent as well.
unsafe impl<T: Send + Sync> Sync for PerProcess<T> {}

struct Owned<T> {
    process: u64,
    value: T,
}

impl<T> PerProcess<T> {
    /// Makes one without a value; the first use makes the value.
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(std::ptr::null_mut()), PhantomData)
    }

    /// Returns this process's value, which `make` makes if there is none yet. If two threads make one at once, one of
    /// the two is dropped.
    pub(crate) fn get_or(&self, make: impl FnOnce() -> T) -> &T {
        let process = this_process();
        let present = self.0.load(Ordering::Acquire);
        // SAFETY: a pointer in here came from Box::into_raw below and is freed only by drop, which has the last
        // reference to self; so it is valid for as long as self is borrowed. A value that a parent process stored is
        // valid memory of this process too: fork copied it.
        if let Some(owned) = unsafe { present.as_ref() }
            && owned.process == process
        {
            return &owned.value;
        }
        let new = Box::into_raw(Box::new(Owned { process, value: make() }));
        let current = match self.0.compare_exchange(present, new, Ordering::AcqRel, Ordering::Acquire) {
            // The previous pointer was null or the parent's, which is leaked on purpose.
            Ok(_) => new,
            Err(other) => {
                // SAFETY: `new` came from Box::into_raw above and was never published.
                drop(unsafe { Box::from_raw(new) });
                other
            }
        };
        // SAFETY: as above; and the value is this process's: since the fork only threads of this process exchange it,
        // and they never exchange a value of this process again.
        unsafe { &(*current).value }
    }
}

impl<T> Drop for PerProcess<T> {
    fn drop(&mut self) {
        let present = *self.0.get_mut();
        // SAFETY: see get_or; self is borrowed mutably, so nobody else holds a reference into it.
        if let Some(owned) = unsafe { present.as_ref() }
            && owned.process == this_process()
        {
            // SAFETY: it came from Box::into_raw and nothing refers to it any more.
            drop(unsafe { Box::from_raw(present) });
        }
    }
}

/// The process in which an object was made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThisProcess(u64);

impl ThisProcess {
    pub(crate) fn here() -> Self {
        Self(this_process())
    }

    /// Returns whether the calling process is still that one, and not a forked child.
    pub(crate) fn is_still(self) -> bool {
        self.0 == this_process()
    }
}

/// A value that only the process that made it uses. A forked child leaks its copy and never drops it, for the reason that
/// [`PerProcess`] gives.
pub(crate) struct OfOneProcess<T> {
    process: ThisProcess,
    value: Option<T>,
}

impl<T> OfOneProcess<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { process: ThisProcess::here(), value: Some(value) }
    }

    pub(crate) fn empty() -> Self {
        Self { process: ThisProcess::here(), value: None }
    }

    /// Borrows the value, if there is one of this process.
    pub(crate) fn get_mut(&mut self) -> Option<&mut T> {
        self.value.as_mut().filter(|_| self.process.is_still())
    }

    /// Takes the value out, if there is one of this process.
    pub(crate) fn take(&mut self) -> Option<T> {
        if self.process.is_still() { self.value.take() } else { None }
    }
}

impl<T> Drop for OfOneProcess<T> {
    fn drop(&mut self) {
        if !self.process.is_still() {
            std::mem::forget(self.value.take());
        }
    }
}

/// Returns this process's number, which none of its ancestors had.
pub(crate) fn this_process() -> u64 {
    let Some(mark) = process_mark::of_this_process() else { return u64::from(std::process::id()) };
    match mark.load(Ordering::Acquire) {
        0 => {
            let next = PROCESSES.fetch_add(1, Ordering::Relaxed);
            mark.compare_exchange(0, next, Ordering::AcqRel, Ordering::Acquire).map_or_else(|other| other, |_| next)
        }
        process => process,
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// Compiles only where `PerProcess<T>` is neither Send nor Sync: otherwise it is not clear which `check` is meant.
    #[test]
    fn it_may_be_shared_only_if_its_value_may() {
        trait IsNotSend<Which> {
            fn check() {}
        }
        impl<T> IsNotSend<()> for T {}
        impl<T: Send> IsNotSend<u8> for T {}
        trait IsNotSync<Which> {
            fn check() {}
        }
        impl<T> IsNotSync<()> for T {}
        impl<T: Sync> IsNotSync<u8> for T {}
        // Each may be sent but not shared, or shared but not sent, or neither.
        <PerProcess<std::cell::Cell<u8>> as IsNotSync<_>>::check();
        <PerProcess<std::sync::MutexGuard<'_, u8>> as IsNotSend<_>>::check();
        <PerProcess<std::sync::MutexGuard<'_, u8>> as IsNotSync<_>>::check();
        <PerProcess<std::rc::Rc<u8>> as IsNotSend<_>>::check();
        <PerProcess<std::rc::Rc<u8>> as IsNotSync<_>>::check();
    }

    #[test]
    fn a_child_makes_its_own_and_leaves_its_parents_alone() {
        struct Noisy(u64);
        impl Drop for Noisy {
            fn drop(&mut self) {
                if self.0 == 1 {
                    // SAFETY: _exit has no precondition; only the child could come here, which the test then notices.
                    unsafe { libc::_exit(99) };
                }
            }
        }
        let state = PerProcess::new();
        assert_eq!(state.get_or(|| Noisy(1)).0, 1);
        // SAFETY: the child only runs code of this test and leaves by _exit.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let first = state.get_or(|| Noisy(2)).0;
            let second = state.get_or(|| Noisy(3)).0;
            drop(state);
            // SAFETY: as above.
            unsafe { libc::_exit(i32::from((first, second) != (2, 2))) };
        }
        let mut status = 0;
        // SAFETY: `status` is valid for writes.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0, "the child saw its parent's state");
        assert_eq!(state.get_or(|| Noisy(4)).0, 1);
        std::mem::forget(state);
    }
}
