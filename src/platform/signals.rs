//! What the library does to the signals of the threads that call it: nothing that they could notice.

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
        /// Of the host's thread that this one works for, while it is inside a call. Has no destructor, and so can be
        /// asked at the very end of a thread too.
        static HOST: Cell<Option<Host>> = const { Cell::new(None) };
    }

    #[derive(Clone, Copy)]
    struct Host {
        mask: CallersMask,
        sigpipe_was_pending: bool,
    }

    /// The signal mask of a thread of the host's.
    #[derive(Clone, Copy)]
    pub(crate) struct CallersMask(libc::sigset_t);

    impl CallersMask {
        /// Of the thread that called the library.
        pub(crate) fn current() -> Self {
            HOST.get().map_or_else(|| Self(block(&none())), |host| host.mask)
        }

        /// On a thread that does the work of another: from now on that one's is the host's.
        pub(crate) fn adopt(self) {
            HOST.set(Some(Host { mask: self, sigpipe_was_pending: false }));
        }

        /// This thread's mask, from now on. Safe between fork and exec.
        pub(crate) fn apply(&self) {
            set(&self.0);
        }
    }

    /// SIGPIPE kept from this thread while it lives: hyper and rustls write vectored, which std does without
    /// MSG_NOSIGNAL, so a connection that the server reset would kill the host. A SIGPIPE that came meanwhile is
    /// swallowed, unless one was pending before.
    pub(crate) struct SigpipeBlocked {
        before: libc::sigset_t,
        sigpipe_was_pending: bool,
        outer: Option<Host>,
        /// The mask is this thread's.
        not_send: PhantomData<*const ()>,
    }

    impl SigpipeBlocked {
        pub(crate) fn new() -> Self {
            let sigpipe_was_pending = sigpipe_is_pending();
            let before = block(&only_sigpipe());
            let outer = HOST.get();
            let mask = outer.map_or(CallersMask(before), |host| host.mask);
            HOST.set(Some(Host { mask, sigpipe_was_pending }));
            Self { before, sigpipe_was_pending, outer, not_send: PhantomData }
        }
    }

    impl Drop for SigpipeBlocked {
        fn drop(&mut self) {
            swallow_sigpipe(self.sigpipe_was_pending);
            HOST.set(self.outer);
            set(&self.before);
        }
    }

    /// Runs the host's code with the mask of the host's thread: a blocked SIGPIPE would be inherited through exec.
    pub(crate) fn with_callers_mask<T>(code: impl FnOnce() -> T) -> T {
        // What the host calls from there begins anew.
        let Some(host) = HOST.take() else { return code() };
        swallow_sigpipe(host.sigpipe_was_pending);
        let ours = set(&host.mask.0);
        let result = code();
        set(&ours);
        HOST.set(Some(host));
        result
    }

    fn swallow_sigpipe(was_pending: bool) {
        if was_pending || !sigpipe_is_pending() {
            return;
        }
        let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        #[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
        // SAFETY: set and time are valid for reads, and the information about the signal is not asked for.
        unsafe {
            libc::sigtimedwait(&only_sigpipe(), std::ptr::null_mut(), &now);
        }
        #[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
        {
            let _ = now;
            let mut signal = 0;
            // SAFETY: both are valid; it does not wait, since the signal is pending for this thread.
            unsafe { libc::sigwait(&only_sigpipe(), &raw mut signal) };
        }
    }

    /// Makes a thread of the library's own: it is born with the mask of the one that makes it, so that no signal of the
    /// host's is ever delivered to it.
    pub(crate) fn with_all_blocked<T>(make: impl FnOnce() -> T) -> T {
        let mut all = MaybeUninit::uninit();
        // SAFETY: sigfillset initialises the set that it is given.
        let callers_mask = block(&unsafe {
            libc::sigfillset(all.as_mut_ptr());
            all.assume_init()
        });
        let made = make();
        set(&callers_mask);
        made
    }

    /// pthread_cancel kept from this thread while it lives: it would unwind through Rust, which aborts the process.
    pub(crate) struct CancelDisabled {
        hosts_state: libc::c_int,
        not_send: PhantomData<*const ()>,
    }

    unsafe extern "C" {
        // POSIX; the libc crate leaves it out on some systems.
        fn pthread_setcancelstate(state: libc::c_int, old: *mut libc::c_int) -> libc::c_int;
    }

    #[cfg(target_os = "macos")]
    const PTHREAD_CANCEL_DISABLE: libc::c_int = 0;
    #[cfg(not(target_os = "macos"))]
    const PTHREAD_CANCEL_DISABLE: libc::c_int = 1;

    impl CancelDisabled {
        pub(crate) fn new() -> Self {
            let mut hosts_state = 0;
            // SAFETY: `hosts_state` is valid for writes.
            unsafe { pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &raw mut hosts_state) };
            Self { hosts_state, not_send: PhantomData }
        }
    }

    impl Drop for CancelDisabled {
        fn drop(&mut self) {
            let mut ours = 0;
            // SAFETY: the state is one that the system gave, and `ours` is valid for writes.
            unsafe { pthread_setcancelstate(self.hosts_state, &raw mut ours) };
        }
    }

    fn none() -> libc::sigset_t {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset initialises the set that it is given.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            set.assume_init()
        }
    }

    fn only_sigpipe() -> libc::sigset_t {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset initialises the set that it is given, and SIGPIPE is a signal.
        unsafe {
            libc::sigemptyset(set.as_mut_ptr());
            libc::sigaddset(set.as_mut_ptr(), libc::SIGPIPE);
            set.assume_init()
        }
    }

    fn sigpipe_is_pending() -> bool {
        let mut pending = MaybeUninit::uninit();
        // SAFETY: sigpending initialises the set that it is given, and cannot fail with a valid one.
        unsafe {
            libc::sigpending(pending.as_mut_ptr());
            libc::sigismember(pending.as_ptr(), libc::SIGPIPE) == 1
        }
    }

    /// Blocks these signals as well; what was blocked before.
    fn block(signals: &libc::sigset_t) -> libc::sigset_t {
        let mut before = MaybeUninit::uninit();
        // SAFETY: both sets are valid; pthread_sigmask fails only for an unknown `how`, and initialises the old mask.
        unsafe {
            libc::pthread_sigmask(libc::SIG_BLOCK, signals, before.as_mut_ptr());
            before.assume_init()
        }
    }

    /// Blocks these signals and no others; what was blocked before.
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
    /// No pthread_cancel here.
    pub(crate) struct CancelDisabled;

    impl CancelDisabled {
        pub(crate) fn new() -> Self {
            Self
        }
    }

    /// No SIGPIPE here.
    pub(crate) struct SigpipeBlocked;

    impl SigpipeBlocked {
        pub(crate) fn new() -> Self {
            Self
        }
    }

    /// No mask here.
    #[derive(Clone, Copy)]
    pub(crate) struct CallersMask;

    impl CallersMask {
        pub(crate) fn current() -> Self {
            Self
        }

        pub(crate) fn adopt(self) {}
    }

    pub(crate) fn with_callers_mask<T>(code: impl FnOnce() -> T) -> T {
        code()
    }

    pub(crate) fn with_all_blocked<T>(make: impl FnOnce() -> T) -> T {
        make()
    }
}
