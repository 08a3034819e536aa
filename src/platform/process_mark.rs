//! The mark that distinguishes a process from its parent. Apart from per_process.rs: in tests/loom another one takes its place.

use std::sync::atomic::AtomicU64;

pub(crate) use mark::of_this_process;

/// Numbers the processes of one line of forks. A child inherits a copy, so its number is never one of its ancestors'.
pub(crate) static PROCESSES: AtomicU64 = AtomicU64::new(1);

// Miri does not have MADV_WIPEONFORK.
#[cfg(all(target_os = "linux", not(miri)))]
mod mark {
    use std::sync::OnceLock;
    use std::sync::atomic::AtomicU64;

    /// A number that the kernel rejects.
    const NO_ADVICE: libc::c_int = -1;

    /// Returns a word that the kernel sets to zero in a child: reading it costs a load, while getpid costs a system
    /// call. `None` on kernels before 4.14 and where the system calls are emulated.
    pub(crate) fn of_this_process() -> Option<&'static AtomicU64> {
        static MARK: OnceLock<Option<&'static AtomicU64>> = OnceLock::new();
        *MARK.get_or_init(|| {
            // SAFETY: sysconf has no precondition.
            let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).ok()?;
            // SAFETY: a new private mapping at an address of the kernel's choice; it touches no memory of ours.
            let address = unsafe {
                libc::mmap(
                    std::ptr::null_mut(),
                    page,
                    libc::PROT_READ | libc::PROT_WRITE,
                    libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                    -1,
                    0,
                )
            };
            if address == libc::MAP_FAILED {
                return None;
            }
            // qemu's emulation of Linux accepts every advice, and ignores this one; it gives itself away by accepting
            // what is not an advice.
            // SAFETY: the whole of the mapping just made, and nothing else.
            let advise = |advice| unsafe { libc::madvise(address, page, advice) } == 0;
            if advise(NO_ADVICE) || !advise(libc::MADV_WIPEONFORK) {
                // SAFETY: as above, and no reference into it exists.
                unsafe { libc::munmap(address, page) };
                return None;
            }
            // SAFETY: the mapping is page-aligned, zeroed (a valid AtomicU64), never unmapped from here on, and only
            // ever accessed as this atomic.
            Some(unsafe { &*address.cast::<AtomicU64>() })
        })
    }
}

#[cfg(any(not(target_os = "linux"), miri))]
mod mark {
    use std::sync::atomic::AtomicU64;

    /// This system has no such page; the caller uses the process id instead.
    pub(crate) fn of_this_process() -> Option<&'static AtomicU64> {
        None
    }
}
