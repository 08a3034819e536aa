//! The idle connections of a runtime that many calls share.

use std::sync::Weak;
use std::time::Instant;

use tokio::time::sleep_until;

use crate::config::config::default;
use crate::driver::pool::{IdleConnections, Pool, Reusable};
use crate::http::transport::Transport;

/// An idle connection. The runtime has its socket.
pub(crate) struct Connection {
    pub(crate) transport: Transport,
    pub(crate) idle_since: Instant,
}

impl Reusable for Connection {
    const CLOSES_LATER: bool = true;

    fn idle_since(&self) -> Option<Instant> {
        Some(self.idle_since)
    }
}

/// Closes what has rested in a pool for its idle timeout, as long as there is the pool.
pub(crate) async fn close_expired(pool: Weak<Pool<Connection>>) {
    let mut next = Instant::now() + default::IDLE_TIMEOUT;
    loop {
        sleep_until(next.into()).await;
        let Some(pool) = pool.upgrade() else { return };
        let now = Instant::now();
        pool.close_expired(now);
        // What is not idle yet cannot expire earlier than this.
        next = pool.oldest().unwrap_or(now) + default::IDLE_TIMEOUT;
    }
}
