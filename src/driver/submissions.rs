//! How submitted calls pass from a queue to its hub. Apart from hub.rs: in tests/loom another hub takes its place.

use std::sync::Arc;
use std::task::{Poll, Waker};

use crate::call::Call;
use crate::driver::client_state::ClientState;
use crate::outcome::Outcome;

/// Where the calls come from that a hub drives.
pub(crate) trait Submissions: Send + Sync + 'static {
    /// The duty to complete a call.
    type Duty: Duty;

    /// Returns what the hub has to do next, at most [`BEGUN_AT_ONCE`](crate::driver::permits::BEGUN_AT_ONCE) calls, or leaves the waker that tells the hub of it.
    fn poll_work(&self, waker: &Waker) -> Poll<Work<Self::Duty>>;

    /// The hub has ended by a panic.
    fn hub_broke(&self);
}

/// The duty to complete a call.
pub(crate) trait Duty: Send + 'static {
    fn complete(self, outcome: Outcome);
}

/// What a hub has to do next.
pub(crate) enum Work<D> {
    Begin(Vec<Submitted<D>>),
    End,
}

/// A call on its way to the hub.
pub(crate) struct Submitted<D> {
    pub(crate) call: Box<Call>,
    pub(crate) client: Arc<ClientState>,
    pub(crate) duty: D,
}
