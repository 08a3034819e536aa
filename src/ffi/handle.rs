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
