//! Programs that have more rights than whoever started them (setuid, setgid, file capabilities): their environment and the
//! files in the home that it names are somebody else's, and decide nothing there, as with secure_getenv.

use std::ffi::OsString;
#[cfg(unix)]
use std::ffi::{CStr, CString, OsStr};
#[cfg(unix)]
use std::mem::MaybeUninit;
#[cfg(unix)]
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// Reads a variable of the environment, unless it is somebody else's.
pub(crate) fn variable(name: &str) -> Option<OsString> {
    if is_secure() { None } else { std::env::var_os(name) }
}

/// Returns the user's home directory, unless the environment that names it is somebody else's.
pub(crate) fn home() -> Option<PathBuf> {
    if is_secure() { None } else { std::env::home_dir() }
}

/// Returns the home directory of another user, as the system's database of users has it.
#[cfg(unix)]
pub(crate) fn home_of(user: &str) -> Option<PathBuf> {
    /// More than any entry has; one that is longer is not found.
    const ENTRY: usize = 64 * 1024;
    let user = CString::new(user).ok()?;
    let mut entry = MaybeUninit::<libc::passwd>::uninit();
    let mut found = std::ptr::null_mut();
    let mut strings = vec![0 as libc::c_char; ENTRY];
    // SAFETY: the pointers are valid for the call, and `strings` has the length that is passed.
    let error = unsafe {
        libc::getpwnam_r(user.as_ptr(), entry.as_mut_ptr(), strings.as_mut_ptr(), strings.len(), &raw mut found)
    };
    if error != 0 || found.is_null() {
        return None;
    }
    // SAFETY: getpwnam_r found the user, so it filled in `entry`, whose strings are in `strings`, NUL-terminated.
    let home = unsafe { CStr::from_ptr(entry.assume_init_ref().pw_dir) };
    Some(PathBuf::from(OsStr::from_bytes(home.to_bytes())))
}

#[cfg(not(unix))]
pub(crate) fn home_of(_: &str) -> Option<PathBuf> {
    None
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
