//! Makes the runtimes of the model.

use std::io;
use std::sync::Arc;

use crate::driver::fork_barrier::ForkBarrier;
use crate::executor::runtime::Runtime;

pub(crate) struct Pace {
    pub(crate) max_events: usize,
    pub(crate) event_interval: u32,
}

pub(crate) fn runtime(barrier: &Arc<ForkBarrier>, _: &Pace) -> io::Result<Runtime> {
    Ok(Runtime::new(Arc::clone(barrier)))
}
