//! How many descriptors the process may open, and whether none is left.

use std::io;

use crate::platform_api::SystemError;

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

/// Returns on how many processors the process may run. A thread that is bound to some says nothing of the others, unless it is
/// the first one.
#[cfg(target_os = "linux")]
pub(crate) fn processors() -> usize {
    // SAFETY: a set without processors is a valid value of this plain struct of integers.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is valid for writes of its own size.
    let counted = unsafe { libc::sched_getaffinity(libc::getpid(), size_of::<libc::cpu_set_t>(), &raw mut set) } == 0;
    // SAFETY: CPU_COUNT only reads the set.
    let count = if counted { unsafe { libc::CPU_COUNT(&set) } } else { 0 };
    // Fails for more processors than the set has room for.
    usize::try_from(count).ok().filter(|count| *count > 0).unwrap_or(usize::from(u16::MAX))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The same as the end of a message.
pub(crate) fn descriptors_in_words() -> String {
    format!("; the limit of open files (ulimit -n) is {}", descriptors())
}

/// Says what failed, and why.
pub(crate) fn system_error(what: &str, error: &io::Error) -> SystemError {
    SystemError { message: format!("{what}{error}"), lacks_descriptors: is_out_of_descriptors(error) }
}

/// Explains an error which means that no descriptor is left, together with the limit.
pub(crate) fn explained(error: &io::Error) -> Option<String> {
    is_out_of_descriptors(error).then(|| format!("{error}{}", descriptors_in_words()))
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

/// Returns whether the process may have few descriptors left: whether most of its highest numbers are taken. It opens none to
/// find out, which might be the one that another thread lacks.
#[cfg(unix)]
pub(crate) fn descriptors_are_scarce() -> bool {
    const FEW: usize = 64;
    let end = i32::try_from(descriptors()).unwrap_or(i32::MAX);
    // SAFETY: F_GETFD only reads a flag of a descriptor, and fails if there is none of this number.
    let is_free = |descriptor: &i32| unsafe { libc::fcntl(*descriptor, libc::F_GETFD) } == -1;
    (0..end).rev().take(2 * FEW).filter(is_free).take(FEW).count() < FEW
}

#[cfg(not(unix))]
pub(crate) fn descriptors_are_scarce() -> bool {
    false
}

#[cfg(not(unix))]
pub(crate) fn descriptors() -> u64 {
    u64::from(u32::MAX)
}

#[cfg(not(unix))]
pub(crate) fn is_out_of_descriptors(_: &io::Error) -> bool {
    false
}
