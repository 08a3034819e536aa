//! What the host hands over together with a callback, until nobody can call back any more.

use std::ffi::c_void;

use crate::{driver::caller::run_callers_code, platform::per_process::ThisProcess};

/// Releases user_data; called once, with the user_data that was set together with it.
pub type lambda_release_fn = Option<unsafe extern "C" fn(user_data: *mut c_void)>;

/// A pointer of the host's, released when this is dropped.
pub(super) struct UserData {
    pointer: *mut c_void,
    release: lambda_release_fn,
    /// A forked child releases nothing that is its parent's.
    owner: ThisProcess,
}

// SAFETY: the header says from which threads the callbacks and the release are called; the host handed its pointer over
// for that, and this library never looks at what it points to.
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
            // SAFETY: the host gave this function for this pointer; it is called once, since this is dropped once, and
            // nobody can call back any more.
            run_callers_code(|| unsafe { release(self.pointer) });
        }
    }
}
