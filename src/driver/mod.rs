//! The module `driver`: who polls a call, on which thread, and until when.

pub(crate) mod blocking;
pub(crate) mod caller;
pub(crate) mod client_state;
pub(crate) mod connection;
pub(crate) mod descriptors;
pub(crate) mod fork_barrier;
pub(crate) mod hub;
pub(crate) mod interrupt;
pub(crate) mod other_thread;
pub(crate) mod permits;
pub(crate) mod pool;
pub(crate) mod queue;
pub(crate) mod runtime;
pub(crate) mod shared_runtime;
pub(crate) mod submissions;
pub(crate) mod task;
pub(crate) mod wait_queue;
pub(crate) mod worker;
