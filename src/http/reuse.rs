//! Which hosts' connections are not reused. A server that closes each connection right after its response, without a
//! `Connection: close`, may do so just when the next request leaves; nobody can tell then whether it was read.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::lock::lock;

/// How long connections to a host are not reused after a reused one broke. At most one call a minute of each worker meets
/// such a server unprepared; a server that closed an idle connection in an unlucky moment costs a minute of handshakes.
const PAUSE: Duration = Duration::from_secs(60);

/// What one client has learned in one process.
#[derive(Debug, Default)]
pub(crate) struct ConnectionReuse {
    /// Without one, calls do not look further.
    was_ever_paused: AtomicBool,
    pauses: Mutex<HashMap<String, Instant>>,
}

impl ConnectionReuse {
    /// Notes that a reused connection to `host` broke without a response.
    pub(crate) fn pause(&self, host: &str) {
        let mut pauses = lock(&self.pauses);
        pauses.retain(|_, since| since.elapsed() < PAUSE);
        pauses.insert(host.to_owned(), Instant::now());
        self.was_ever_paused.store(true, Ordering::Release);
    }

    /// Whether the next request to `host` needs a connection of its own.
    pub(crate) fn is_paused(&self, host: &str) -> bool {
        self.was_ever_paused.load(Ordering::Acquire)
            && lock(&self.pauses).get(host).is_some_and(|since| since.elapsed() < PAUSE)
    }
}
