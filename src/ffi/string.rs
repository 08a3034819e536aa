//! Strings that the caller owns.

use std::ffi::c_char;

use super::guard::entry;
use super::text;

/// Frees a string that lambda_client_describe returned. NULL does nothing.
///
/// # Safety
/// NULL, or from lambda_client_describe and not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn lambda_string_free(string: *mut c_char) {
    entry(drop, || {
        if !string.is_null() {
            // SAFETY: it came from CString::into_raw in this file, and its length is unchanged.
            drop(unsafe { std::ffi::CString::from_raw(string) });
        }
    });
}

/// Makes a string that the caller owns. Returns NULL when there is no memory.
pub(super) fn into_raw(text: String) -> *mut c_char {
    let mut text = text::without_nul(text);
    // For the NUL that CString adds.
    if text.try_reserve_exact(1).is_err() {
        return std::ptr::null_mut();
    }
    std::ffi::CString::new(text).map_or(std::ptr::null_mut(), std::ffi::CString::into_raw)
}
