//! Signals and cancellation of the threads that call the library: the application notices no change of either.

#[cfg(unix)]
pub(crate) use unix::CancelDisabled;
#[cfg(unix)]
pub(crate) use unix::{CallersMask, SigpipeBlocked, with_all_blocked, with_callers_mask};

#[cfg(not(unix))]
pub(crate) use other::CancelDisabled;
#[cfg(not(unix))]
pub(crate) use other::{CallersMask, SigpipeBlocked, with_all_blocked, with_callers_mask};

#[cfg(unix)]
mod unix {
    use std::cell::Cell;
    use std::marker::PhantomData;
    use std::mem::MaybeUninit;

    thread_local! {
        /// The caller's thread that this thread works for, while it is inside a call. It has no destructor, and so can
        /// also be read at the very end of a thread.
        static CALLER: Cell<Option<Caller>> = const { Cell::new(None) };
        /// On a thread of the library: the mask for the programs that it starts.
        static FOR_CHILDREN: Cell<Option<CallersMask>> = const { Cell::new(None) };
    }

    #[derive(Clone, Copy)]
    struct Caller {
        mask: CallersMask,
        sigpipe_was_pending: bool,
    }

    /// The signal mask of a thread of the caller's.
    #[derive(Clone, Copy)]
    pub(crate) struct CallersMask(libc::sigset_t);

    impl CallersMask {
        /// Returns the mask of the thread that called the library.
        pub(crate) fn current() -> Self {
            let callers = CALLER.get().map(|caller| caller.mask).or_else(|| FOR_CHILDREN.get());
            callers.unwrap_or_else(|| Self(block(&none())))
        }

        /// Makes this the mask of the programs that the current thread starts. The thread is one of the library's, and its
        /// own mask, which blocks all signals, is not fit for them.
        pub(crate) fn give_to_children(self) {
            FOR_CHILDREN.set(Some(self));
        }

        /// Makes this the caller's mask on the current thread, which does the work of the caller's thread.
        pub(crate) fn adopt(self) {
            CALLER.set(Some(Caller { mask: self, sigpipe_was_pending: false }));
        }

        /// Sets the current thread's mask to this one. Safe between fork and exec.
        pub(crate) fn apply(&self) {
            set(&self.0);
        }
    }

    /// Blocks SIGPIPE on this thread while it lives. hyper and rustls use vectored writes, which std makes without
    /// MSG_NOSIGNAL, so a connection that the server reset would kill the application. A SIGPIPE that arrives meanwhile
    /// is discarded, unless one was pending before.
    pub(crate) struct SigpipeBlocked {
        before: libc::sigset_t,
        sigpipe_was_pending: bool,
        outer: Option<Caller>,
        /// The mask belongs to this thread.
        not_send: PhantomData<*const ()>,
    }

    impl SigpipeBlocked {
        pub(crate) fn new() -> Self {
            let before = block(&only_sigpipe());
            // One that is not blocked is delivered, and never pending.
            let sigpipe_was_pending = has_sigpipe(&before) && sigpipe_is_pending();
            let outer = CALLER.get();
            let mask = outer.map_or(CallersMask(before), |caller| caller.mask);
            CALLER.set(Some(Caller { mask, sigpipe_was_pending }));
            Self { before, sigpipe_was_pending, outer, not_send: PhantomData }
        }
    }

    impl Drop for SigpipeBlocked {
        fn drop(&mut self) {
            discard_sigpipe(self.sigpipe_was_pending);
            CALLER.set(self.outer);
            set(&self.before);
        }
    }

    /// Runs the caller's code with the mask of the caller's thread: a blocked SIGPIPE would be inherited through exec.
    pub(crate) fn with_callers_mask<T>(code: impl FnOnce() -> T) -> T {
        // If that code calls the library, that call starts with no caller.
        let Some(caller) = CALLER.take() else { return code() };
        discard_sigpipe(caller.sigpipe_was_pending);
        let ours = set(&caller.mask.0);
        let result = code();
        set(&ours);
        CALLER.set(Some(caller));
        result
    }

    fn discard_sigpipe(was_pending: bool) {
        if was_pending || !sigpipe_is_pending() {
            return;
        }
        let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
        // SAFETY: set and time are valid for reads, and the pointer to the signal's information may be null.
        unsafe {
            libc::sigtimedwait(&only_sigpipe(), std::ptr::null_mut(), &now);
        }
        #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
        {
            let _ = now;
            let mut signal = 0;
            // SAFETY: both pointers are valid. The call does not wait, since the signal is pending for this thread.
            unsafe { libc::sigwait(&only_sigpipe(), &raw mut signal) };
        }
    }

    /// Runs `make`, which starts a thread of the library, with all signals blocked. The thread inherits the mask, so
    /// none of the application's signals is ever delivered to it.
    pub(crate) fn with_all_blocked<T>(make: impl FnOnce() -> T) -> T {
        let mut all = MaybeUninit::uninit();
        // SAFETY: sigfillset initialises the set.
        let callers_mask = block(&unsafe {
            libc::sigfillset(all.as_mut_ptr());
            all.assume_init()
        });
        let made = make();
        set(&callers_mask);
        made
    }

    /// Disables pthread_cancel for this thread while it lives: it would unwind through Rust, which aborts the process.
    pub(crate) struct CancelDisabled {
        callers_state: libc::c_int,
        not_send: PhantomData<*const ()>,
    }

    // Miri has no cancellation.
    #[cfg(miri)]
    unsafe fn pthread_setcancelstate(_: libc::c_int, _: *mut libc::c_int) -> libc::c_int {
        0
    }

    #[cfg(not(miri))]
    unsafe extern "C" {
        // POSIX has it, but the libc crate lacks it on some systems.
        fn pthread_setcancelstate(state: libc::c_int, old: *mut libc::c_int) -> libc::c_int;
    }

    #[cfg(target_os = "macos")]
    const PTHREAD_CANCEL_DISABLE: libc::c_int = 0;
    #[cfg(not(target_os = "macos"))]
    const PTHREAD_CANCEL_DISABLE: libc::c_int = 1;

    impl CancelDisabled {
        pub(crate) fn new() -> Self {
            let mut callers_state = 0;
            // SAFETY: `callers_state` is valid for writes.
            unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &raw mut callers_state) };
            Self { callers_state, not_send: PhantomData }
        }
    }

    impl Drop for CancelDisabled {
        fn drop(&mut self) {
            let mut ours = 0;
            // SAFETY: the state came from the system, and `ours` is valid for writes.
            unsafe { pthread_setcancelstate(self.callers_state, &raw mut ours) };
        }
    }

    fn none() -> libc::sigset_t {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset initialises the set.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            set.assume_init()
        }
    }

    fn only_sigpipe() -> libc::sigset_t {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset initialises the set, and SIGPIPE is a signal.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE);
            set.assume_init()
        }
    }

    fn sigpipe_is_pending() -> bool {
        let mut pending = MaybeUninit::uninit();
        // SAFETY: sigpending initialises the set, and cannot fail with a valid one.
        unsafe {
            libc::sigpending(pending.as_mut_ptr());
            has_sigpipe(&pending.assume_init())
        }
    }

    fn has_sigpipe(set: &libc::sigset_t) -> bool {
        // SAFETY: the set is valid, and SIGPIPE is a signal.
        unsafe { libc::sigismember(set, libc::SIGPIPE) == 1 }
    }

    /// Blocks these signals in addition. Returns the previous mask.
    fn block(signals: &libc::sigset_t) -> libc::sigset_t {
        let mut before = MaybeUninit::uninit();
        // SAFETY: both sets are valid; pthread_sigmask fails only for an unknown `how`, and initialises the old mask.
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, signals, before.as_mut_ptr());
            before.assume_init()
        }
    }

    /// Blocks exactly these signals. Returns the previous mask.
    fn set(mask: &libc::sigset_t) -> libc::sigset_t {
        let mut before = MaybeUninit::uninit();
        // SAFETY: as above.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, mask, before.as_mut_ptr());
            before.assume_init()
        }
    }
}

#[cfg(not(unix))]
mod other {
    /// This system has no pthread_cancel.
    pub(crate) struct CancelDisabled;

    impl CancelDisabled {
        pub(crate) fn new() -> Self {
            Self
        }
    }

    /// This system has no SIGPIPE.
    pub(crate) struct SigpipeBlocked;

    impl SigpipeBlocked {
        pub(crate) fn new() -> Self {
            Self
        }
    }

    /// This system has no signal mask.
    #[derive(Clone, Copy)]
    pub(crate) struct CallersMask;

    impl CallersMask {
        pub(crate) fn current() -> Self {
            Self
        }

        pub(crate) fn adopt(self) {}

        pub(crate) fn give_to_children(self) {}
    }

    pub(crate) fn with_callers_mask<T>(code: impl FnOnce() -> T) -> T {
        code()
    }

    pub(crate) fn with_all_blocked<T>(make: impl FnOnce() -> T) -> T {
        make()
    }
}
