//! The sources of the library that are modelled, and what takes the place of those that they use.

#[path = "../../../src/driver/caller.rs"]
pub(crate) mod caller;
pub(crate) mod client_state;
#[path = "../../../src/driver/connection.rs"]
pub(crate) mod connection;
#[path = "../../../src/driver/fork_barrier.rs"]
pub(crate) mod fork_barrier;
pub(crate) mod hub;
pub(crate) mod interrupt;
#[path = "../../../src/driver/permits.rs"]
pub(crate) mod permits;
#[path = "../../../src/driver/pool.rs"]
pub(crate) mod pool;
#[path = "../../../src/driver/queue.rs"]
pub(crate) mod queue;
pub(crate) mod runtime;
#[path = "../../../src/driver/shared_runtime.rs"]
pub(crate) mod shared_runtime;
#[path = "../../../src/driver/submissions.rs"]
pub(crate) mod submissions;
#[path = "../../../src/driver/wait_queue.rs"]
pub(crate) mod wait_queue;
