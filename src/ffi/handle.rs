//! All pointer operations on the objects that C sees: which types they are, and who owns them.

use std::alloc::{Layout, alloc};

use crate::platform::reserve;

/// A type that C has pointers to. This module reads, changes and frees no other type, so freeing an object as another
/// type does not compile (tests/compile_fail).
///
/// # Safety
/// `Inside` begins with what C sees of the object, if C sees anything.
pub(super) unsafe trait Object: Sized {
    /// The type that the pointer really points to.
    type Inside;
}

/// An object that belongs to the caller until the caller frees it.
pub(super) trait OwnedByCaller: Object {}

/// Makes an object that the caller owns. Returns NULL when there is no memory.
pub(super) fn new<T: OwnedByCaller>(make: impl FnOnce() -> T::Inside) -> *mut T {
    if reserve::is_low() { std::ptr::null_mut() } else { into_raw(make()) }
}

/// Moves an object to the heap, where the caller owns it until [`free`]. Returns NULL when there is no memory.
pub(super) fn into_raw<T: OwnedByCaller>(object: T::Inside) -> *mut T {
    const { assert!(size_of::<T::Inside>() > 0, "an object has a size") };
    // SAFETY: the layout is that of the object, and its size is not zero.
    let place = unsafe { alloc(Layout::new::<T::Inside>()) }.cast::<T::Inside>();
    if !place.is_null() {
        // SAFETY: fresh memory with the object's layout.
        unsafe { place.write(object) };
    }
    place.cast()
}

/// Borrows the object that a pointer points to. `None` for NULL.
///
/// # Safety
/// NULL, or a live object of this type that is not changed meanwhile.
pub(super) unsafe fn as_ref<'a, T: Object>(object: *const T) -> Option<&'a T::Inside> {
    // SAFETY: the caller guarantees it.
    unsafe { object.cast::<T::Inside>().as_ref() }
}

/// Borrows the object that a pointer points to mutably. `None` for NULL.
///
/// # Safety
/// NULL, or a live object of this type that is not used otherwise meanwhile.
pub(super) unsafe fn as_mut<'a, T: Object>(object: *mut T) -> Option<&'a mut T::Inside> {
    // SAFETY: the caller guarantees it.
    unsafe { object.cast::<T::Inside>().as_mut() }
}

/// Frees an object. NULL does nothing.
///
/// # Safety
/// NULL, or from [`into_raw`] and not used from now on.
pub(super) unsafe fn free<T: OwnedByCaller>(object: *mut T) {
    if !object.is_null() {
        // SAFETY: into_raw allocated it with this layout from the global allocator, as Box does.
        drop(unsafe { Box::from_raw(object.cast::<T::Inside>()) });
    }
}

/// The life of every object that needs no system call, for Miri (`make miri`) above all.
#[cfg(test)]
mod tests {
    use std::ffi::{CStr, c_char, c_void};
    use std::ptr::{null, null_mut};
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::super::config::*;
    use super::super::error::*;
    use super::super::invoke::*;
    use super::super::log::LAMBDA_LOG_LEVEL_INFO;
    use super::super::queue::*;
    use super::super::request::*;
    use super::super::result::*;
    use super::super::status::*;

    #[test]
    fn a_request_is_changed_and_copied() {
        // SAFETY: the header's conventions.
        unsafe {
            let request = lambda_request_new();
            assert_eq!(lambda_request_set_function_name(request, c"f:live".as_ptr()), LAMBDA_OK);
            assert_eq!(lambda_request_set_payload(request, b"{}".as_ptr().cast(), 2), LAMBDA_OK);
            assert_eq!(lambda_request_set_payload(request, null(), 0), LAMBDA_OK);
            assert_eq!(lambda_request_set_payload(request, null(), 1), LAMBDA_E_INVALID_ARGUMENT);
            assert_eq!(lambda_request_set_client_context_json(request, c"{}".as_ptr()), LAMBDA_OK);
            assert_eq!(lambda_request_set_tenant_id(request, c"\xff".as_ptr()), LAMBDA_E_INVALID_ARGUMENT);
            assert_eq!(lambda_request_set_tenant_id(request, null()), LAMBDA_OK);
            let copy = lambda_request_clone(request);
            lambda_request_free(request);
            assert_eq!(lambda_request_set_qualifier(copy, c"live".as_ptr()), LAMBDA_OK);
            lambda_request_free(copy);
            lambda_request_free(null_mut());
            assert!(lambda_request_clone(null()).is_null());
        }
    }

    /// Counts how often it is released.
    unsafe extern "C" fn release(user_data: *mut c_void) {
        // SAFETY: the test passed a counter.
        unsafe { user_data.cast::<AtomicU32>().as_ref() }.unwrap().fetch_add(1, Ordering::SeqCst);
    }

    unsafe extern "C" fn log(_: *mut c_void, _: i32, _: *const c_char, _: *const c_char) {}

    #[test]
    fn a_config_releases_what_it_took() {
        let released = AtomicU32::new(0);
        let user_data = (&raw const released).cast_mut().cast();
        // SAFETY: the header's conventions.
        unsafe {
            let config = lambda_config_new();
            assert_eq!(lambda_config_set_region(config, c"us-east-1".as_ptr()), LAMBDA_OK);
            let (id, secret) = (c"AKIDEXAMPLE".as_ptr(), c"secret".as_ptr());
            assert_eq!(lambda_config_set_credentials(config, id, secret, null()), LAMBDA_OK);
            let set = || lambda_config_set_log(config, LAMBDA_LOG_LEVEL_INFO, Some(log), user_data, Some(release));
            assert_eq!((set(), released.load(Ordering::SeqCst)), (LAMBDA_OK, 0));
            assert_eq!((set(), released.load(Ordering::SeqCst)), (LAMBDA_OK, 1));
            lambda_config_free(config);
        }
        assert_eq!(released.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn a_result_is_copied_deeply() {
        // SAFETY: the header's conventions; all members may be zero.
        unsafe {
            let mut made: lambda_result = std::mem::zeroed();
            let payload = vec![1_u8, 0, 2];
            (made.payload, made.payload_len) = (payload.as_ptr(), payload.len());
            (made.log, made.log_len) = (c"log".as_ptr(), 3);
            made.request_id = c"id".as_ptr();
            made.status = LAMBDA_E_IO;
            let first = lambda_result_clone(&raw const made);
            drop(payload);
            let second = lambda_result_clone(first);
            lambda_result_free(first);
            let result = second.as_ref().unwrap();
            assert_eq!(std::slice::from_raw_parts(result.payload, result.payload_len + 1), [1, 0, 2, 0]);
            assert_eq!(CStr::from_ptr(result.request_id), c"id");
            assert_eq!(CStr::from_ptr(result.log), c"log");
            assert_eq!(CStr::from_ptr(result.error_message), c"no message");
            lambda_result_free(second);
            lambda_result_free(null_mut());
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        // SAFETY: the header's conventions.
        unsafe {
            let result = lambda_invoke(null(), null());
            assert_eq!((*result).status, LAMBDA_E_INVALID_ARGUMENT);
            lambda_result_free(result);
            let mut error = null_mut();
            assert_eq!(lambda_queue_new(null_mut(), &raw mut error), LAMBDA_E_INVALID_ARGUMENT);
            assert_eq!(CStr::from_ptr(lambda_error_message(error)), c"queue: is NULL");
            lambda_error_free(error);
            // Without memory.
            let refused = refused_without_memory();
            assert_eq!(((*refused).status, (*refused).execution), (LAMBDA_E_NO_MEMORY, LAMBDA_EXECUTION_NONE));
            lambda_result_free(refused);
        }
    }
}
