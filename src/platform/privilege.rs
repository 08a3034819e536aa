//! Programs that have more rights than whoever started them (setuid, setgid, file capabilities): their environment and the
//! files in the home that it names are somebody else's, and decide nothing there, as with secure_getenv.

use std::ffi::OsString;
use std::path::PathBuf;

/// Reads a variable of the environment, unless it is somebody else's.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    if is_secure() { None } else { std::env::var_os(name) }
}

/// Returns the user's home directory, unless the environment that names it is somebody else's.
pub(crate) fn home() -> Option<PathBuf> {
    if is_secure() { None } else { std::env::home_dir() }
}

/// Whether the kernel asked for secure execution when the program was started.
#[cfg(target_os = "linux")]
pub(crate) fn is_secure() -> bool {
    // SAFETY: getauxval has no precondition; it reads what the kernel handed over at the start.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// Whether the program was started with, or has since taken, other rights than its user's.
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) fn is_secure() -> bool {
    // SAFETY: these have no preconditions.
    unsafe { libc::getuid() != libc::geteuid() || libc::getgid() != libc::getegid() }
}

#[cfg(not(unix))]
pub(crate) fn is_secure() -> bool {
    false
}
