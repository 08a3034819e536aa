//! Credentials that were loaded: how long they are good, and how a forked process comes by its parent's.

use std::sync::{Mutex, TryLockError};
use std::time::{Duration, SystemTime};

use aws_smithy_runtime_api::client::identity::Identity;

use crate::config::credentials::Credentials;

/// Credentials are refreshed this long before they expire, or when a quarter of their life is left.
const AHEAD: Duration = Duration::from_secs(300);
/// Credentials with less than this left, or a tenth of their life, count as expired: a request takes time to arrive.
const MARGIN: Duration = Duration::from_secs(10);

#[derive(Clone)]
pub(crate) struct Loaded {
    pub(crate) identity: Identity,
    /// `None`: they do not expire.
    life: Option<Life>,
}

#[derive(Clone, Copy)]
struct Life {
    refresh_at: SystemTime,
    useless_at: SystemTime,
}

impl Loaded {
    pub(crate) fn new(credentials: &Credentials, now: SystemTime) -> Self {
        let life = credentials.expires().map(|expires| {
            let life = expires.duration_since(now).unwrap_or_default();
            let before = |by: Duration| expires.checked_sub(by).unwrap_or(expires);
            Life { refresh_at: before(AHEAD.min(life / 4)), useless_at: before(MARGIN.min(life / 10)) }
        });
        Self { identity: credentials.identity(), life }
    }

    pub(crate) fn are_good(&self, now: SystemTime) -> bool {
        self.life.is_none_or(|life| now < life.useless_at)
    }

    pub(crate) fn need_refresh(&self, now: SystemTime) -> bool {
        self.life.is_some_and(|life| now >= life.refresh_at)
    }

    /// How long they are good, if not for ever.
    pub(crate) fn left(&self, now: SystemTime) -> Option<Duration> {
        self.life.map(|life| life.useless_at.duration_since(now).unwrap_or_default())
    }
}

/// What a client has loaded, for the processes that are forked from this one. They have a copy of it, and must not wait for
/// a lock: in the child nobody would ever release one that another thread held at the fork.
#[derive(Default)]
pub(crate) struct Inheritance(Mutex<Option<Loaded>>);

impl Inheritance {
    /// Leaves credentials, or none, to the children.
    pub(crate) fn leave(&self, loaded: Option<Loaded>) {
        match self.0.try_lock() {
            Ok(mut left) => *left = loaded,
            Err(TryLockError::Poisoned(left)) => *left.into_inner() = loaded,
            // A lock from before the fork: this process's children load for themselves.
            Err(TryLockError::WouldBlock) => {}
        }
    }

    /// Returns what the parent process has left.
    pub(crate) fn take_over(&self) -> Option<Loaded> {
        match self.0.try_lock() {
            Ok(left) => left.clone(),
            Err(TryLockError::Poisoned(left)) => left.into_inner().clone(),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}
