//! The sources of the library that are modelled.

#[path = "../../../src/driver/permits.rs"]
pub(crate) mod permits;
#[path = "../../../src/driver/pool.rs"]
pub(crate) mod pool;
#[path = "../../../src/driver/wait_queue.rs"]
pub(crate) mod wait_queue;
