//! The only code that writes to stderr, and only if LAMBDA_INVOKE_LOG is set.

use std::sync::Arc;
use std::time::SystemTime;

use crate::log::Sink;
use crate::platform::signals::SigpipeBlocked;

/// Returns a sink that prints each event in one write, so that it does not split the application's own lines.
pub(crate) fn stderr() -> Sink {
    Arc::new(|level, target, message| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let line = format!("{}.{:03} {:5} {target}: {message}\n", now.as_secs(), now.subsec_millis(), level.as_str());
        // The reader of stderr may be gone.
        let _signals = SigpipeBlocked::new();
        write(line.as_bytes());
    })
}

/// Writes without std's lock, which another thread could hold at the time of a fork.
#[cfg(unix)]
fn write(line: &[u8]) {
    // SAFETY: the bytes are valid for reads for their length. Bytes that are not written are lost.
    unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
}

#[cfg(not(unix))]
fn write(line: &[u8]) {
    let _ = std::io::Write::write_all(&mut std::io::stderr(), line);
}
