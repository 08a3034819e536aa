//! There are no signals in a model.

pub(crate) struct SigpipeBlocked;

impl SigpipeBlocked {
    pub(crate) fn new() -> Self {
        Self
    }
}

pub(crate) fn with_callers_mask<T>(code: impl FnOnce() -> T) -> T {
    code()
}
