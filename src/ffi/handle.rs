//! All pointer work of opaque objects: who owns what, said once.

use std::alloc::{Layout, alloc};

/// An object of its own on the heap, owned by the caller until [`free`]. NULL when there is no memory.
pub(super) fn into_raw<T>(object: T) -> *mut T {
    const { assert!(size_of::<T>() > 0, "an opaque object has a size") };
    // SAFETY: the layout is T's own, and its size is not zero.
    let place = unsafe { alloc(Layout::new::<T>()) }.cast::<T>();
    if !place.is_null() {
        // SAFETY: fresh memory with T's layout.
        unsafe { place.write(object) };
    }
    place
}

/// What a pointer from [`into_raw`] points to; `None` for NULL.
///
/// # Safety
/// NULL, or from `give` and not freed, and nobody changes the object meanwhile.
pub(super) unsafe fn as_ref<'a, T>(object: *const T) -> Option<&'a T> {
    // SAFETY: what the caller promises.
    unsafe { object.as_ref() }
}

/// The same, to change it.
///
/// # Safety
/// NULL, or from `give` and not freed, and nobody else uses the object meanwhile.
pub(super) unsafe fn as_mut<'a, T>(object: *mut T) -> Option<&'a mut T> {
    // SAFETY: what the caller promises.
    unsafe { object.as_mut() }
}

/// Ends an object; NULL is nothing to end.
///
/// # Safety
/// NULL, or from `give`, and nobody uses the object from now on.
pub(super) unsafe fn free<T>(object: *mut T) {
    if !object.is_null() {
        // SAFETY: `give` allocated it with T's layout from the global allocator, as Box does.
        drop(unsafe { Box::from_raw(object) });
    }
}
