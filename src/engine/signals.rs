//! What the library does to the signals of the threads that call it: nothing that they could notice.

#[cfg(unix)]
pub(crate) use unix::CancelDisabled;
#[cfg(unix)]
pub(super) use unix::{SigpipeBlocked, with_all_blocked};

#[cfg(not(unix))]
pub(crate) use other::CancelDisabled;
#[cfg(not(unix))]
pub(super) use other::{SigpipeBlocked, with_all_blocked};

#[cfg(unix)]
mod unix {
    use std::marker::PhantomData;
    use std::mem::MaybeUninit;

    /// SIGPIPE kept from this thread while it lives: hyper and rustls write vectored, which std does without
    /// MSG_NOSIGNAL, so a connection that the server reset would kill the host. A SIGPIPE that came meanwhile is
    /// swallowed, unless one was pending before.
    pub(crate) struct SigpipeBlocked {
        hosts_mask: libc::sigset_t,
        pending_before: bool,
        /// The mask is this thread's.
        not_send: PhantomData<*const ()>,
    }

    impl SigpipeBlocked {
        pub(crate) fn new() -> Self {
            let pending_before = sigpipe_is_pending();
            Self { hosts_mask: block(&only_sigpipe()), pending_before, not_send: PhantomData }
        }

        /// Runs the host's code with the host's mask: a blocked SIGPIPE would be inherited through exec.
        pub(crate) fn with_hosts_mask<T>(&self, code: impl FnOnce() -> T) -> T {
            self.swallow();
            set(&self.hosts_mask);
            let result = code();
            block(&only_sigpipe());
            result
        }

        fn swallow(&self) {
            if self.pending_before || !sigpipe_is_pending() {
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
    }

    impl Drop for SigpipeBlocked {
        fn drop(&mut self) {
            self.swallow();
            set(&self.hosts_mask);
        }
    }

    /// Makes a thread of the library's own: it is born with the mask of the one that makes it, so that no signal of the
    /// host's is ever delivered to it.
    pub(crate) fn with_all_blocked<T>(make: impl FnOnce() -> T) -> T {
        let mut all = MaybeUninit::uninit();
        // SAFETY: sigfillset initialises the set that it is given.
        let hosts_mask = block(&unsafe {
            libc::sigfillset(all.as_mut_ptr());
            all.assume_init()
        });
        let made = make();
        set(&hosts_mask);
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

    fn set(mask: &libc::sigset_t) {
        // SAFETY: the mask is valid, and the old one is not asked for.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, mask, std::ptr::null_mut()) };
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

        pub(crate) fn with_hosts_mask<T>(&self, code: impl FnOnce() -> T) -> T {
            code()
        }
    }

    pub(crate) fn with_all_blocked<T>(make: impl FnOnce() -> T) -> T {
        make()
    }
}
