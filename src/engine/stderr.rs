//! The only thing that ever writes to stderr, and only if LAMBDA_INVOKE_LOG asks for it.

use std::io::Write;
use std::sync::Arc;
use std::time::SystemTime;

use super::signals::SigpipeBlocked;
use crate::core::log::Sink;

/// Prints events, each in one write: the host's own lines stay whole.
pub(crate) fn stderr() -> Sink {
    Arc::new(|level, target, message| {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let line = format!("{}.{:03} {:5} {target}: {message}\n", now.as_secs(), now.subsec_millis(), level.as_str());
        // Nobody may read there any more.
        let _signals = SigpipeBlocked::new();
        let _ = std::io::stderr().write_all(line.as_bytes());
    })
}
