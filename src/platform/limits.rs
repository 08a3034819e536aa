//! How many descriptors there are, and whether they have run out.

use std::io;

/// A blocking call's worker: epoll, its waker and a copy, and a socket.
const DESCRIPTORS_PER_CALL: u64 = 4;

/// Calls at once that half of the process's descriptors allow.
pub(crate) fn default_max_connections() -> u32 {
    u32::try_from(descriptors() / 2 / DESCRIPTORS_PER_CALL).unwrap_or(u32::MAX).max(1)
}

#[cfg(unix)]
fn descriptors() -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writes.
    match unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } {
        0 => limit.rlim_cur,
        // What POSIX guarantees.
        _ => 20,
    }
}

#[cfg(unix)]
pub(crate) fn is_out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE))
}

/// Whether the process cannot open as many files as a lookup needs.
#[cfg(unix)]
pub(crate) fn are_descriptors_out() -> bool {
    let probes: io::Result<Vec<_>> = (0..2).map(|_| std::fs::File::open("/dev/null")).collect();
    probes.is_err_and(|error| is_out_of_descriptors(&error))
}

#[cfg(not(unix))]
fn descriptors() -> u64 {
    u64::from(u32::MAX)
}

#[cfg(not(unix))]
pub(crate) fn is_out_of_descriptors(_: &io::Error) -> bool {
    false
}
