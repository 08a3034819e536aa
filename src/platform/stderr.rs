//! The only thing that ever writes to stderr, and only if LAMBDA_INVOKE_LOG asks for it.

use std::sync::Arc;
use std::time::SystemTime;

use crate::log::Sink;
use crate::platform::signals::SigpipeBlocked;

/// Prints events, each in one write: the host's own lines stay whole.
pub(crate) fn stderr() -> Sink {
    Arc::new(|level, target, message| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let line = format!("{}.{:03} {:5} {target}: {message}\n", now.as_secs(), now.subsec_millis(), level.as_str());
        // Nobody may read there any more.
        let _signals = SigpipeBlocked::new();
        write(line.as_bytes());
    })
}

/// Without std's lock, which a fork could find taken.
#[cfg(unix)]
fn write(line: &[u8]) {
    // SAFETY: the bytes are valid for reads for as long as is said. What is not written is lost.
    unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
}

#[cfg(not(unix))]
fn write(line: &[u8]) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line);
}
