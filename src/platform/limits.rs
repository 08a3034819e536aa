//! How many descriptors the process may open, and whether none is left.

use std::io;

/// What the worker of a blocking call takes: epoll, its waker and a copy of it, and a socket.
pub(crate) const DESCRIPTORS_PER_CALL: u32 = 4;

/// Returns how many blocking calls at once half of the process's descriptors allow.
pub(crate) fn default_max_connections() -> u32 {
    u32::try_from(descriptors() / 2 / u64::from(DESCRIPTORS_PER_CALL)).unwrap_or(u32::MAX).max(1)
}

/// How many the process may have open.
#[cfg(unix)]
pub(crate) fn descriptors() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writes.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } {
        0 => limit.rlim_cur,
        // The least that POSIX guarantees (_POSIX_OPEN_MAX).
        _ => 20,
    }
}

/// The same as the end of a message.
pub(crate) fn descriptors_in_words() -> String {
    format!("; the limit of open files (ulimit -n) is {}", descriptors())
}

#[cfg(unix)]
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// Returns whether the process has too few descriptors left for a name lookup, which needs two.
#[cfg(unix)]
pub(crate) fn lookup_lacks_descriptors() -> bool {
    let probes: io::Result<Vec<_>> = (0..2).map(|_| std::fs::File::open("/dev/null")).collect();
    probes.is_err_and(|error| is_out_of_descriptors(&error))
}

#[cfg(not(unix))]
pub(crate) fn descriptors() -> u64 {
    u64::from(u32::MAX)
}

#[cfg(not(unix))]
pub(crate) fn is_out_of_descriptors(_: &io::Error) -> bool {
    false
}
