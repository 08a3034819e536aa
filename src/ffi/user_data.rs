//! The user_data that the caller passes together with a callback. It is kept until the callback can no longer be
//! called.

use std::ffi::c_void;

use crate::{driver::caller::run_callers_code, platform::per_process::ThisProcess};

/// Releases user_data; called once, with the user_data that was set together with it.
pub type lambda_release_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// A pointer of the caller's, which is released when this is dropped.
pub(super) struct UserData {
    pointer: *mut c_void,
    release: lambda_release_fn,
    /// A forked child releases nothing that belongs to its parent.
    owner: ThisProcess,
}

// SAFETY: the header states on which threads the callbacks and the release are called. The caller passed the pointer
// under these conditions, and this library never dereferences it.
unsafe impl Send for UserData {}
// SAFETY: as above.
unsafe impl Sync for UserData {}

impl UserData {
    pub(super) fn new(pointer: *mut c_void, release: lambda_release_fn) -> Self {
        Self { pointer, release, owner: ThisProcess::here() }
    }

    pub(super) fn pointer(&self) -> *mut c_void {
        self.pointer
    }
}

impl Drop for UserData {
    fn drop(&mut self) {
        if let Some(release) = self.release
            && self.owner.is_still()
        {
            // SAFETY: the caller passed this function together with this pointer. It is called once, since this is
            // dropped once, and the callback can no longer be called.
            run_callers_code(|| unsafe { release(self.pointer) });
        }
    }
}
