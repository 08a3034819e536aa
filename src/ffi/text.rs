//! Converts strings and bytes between C and Rust.

use std::ffi::{CStr, c_char};

use crate::error::Error;
use crate::platform::reserve;
use crate::status::Status;

/// Borrows a string of the caller's. `None` for NULL. The message of an error names `field`.
///
/// # Safety
/// NULL, or a NUL-terminated string that is not changed meanwhile.
pub(super) unsafe fn optional<'a>(field: &str, text: *const c_char) -> Result<Option<&'a str>, Error> {
    if text.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller guarantees it.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map(Some).map_err(|_| Error::argument(format!("{field}: is not UTF-8")))
}

/// Borrows a string of the caller's as [`optional`] does, and fails for NULL.
///
/// # Safety
/// As for [`optional`].
pub(super) unsafe fn required<'a>(field: &str, text: *const c_char) -> Result<&'a str, Error> {
    // SAFETY: the caller guarantees it.
    unsafe { optional(field, text) }?.ok_or_else(|| Error::argument(format!("{field}: is NULL")))
}

/// Borrows bytes of the caller's.
///
/// # Safety
/// NULL, or `len` bytes that are not changed meanwhile.
pub(super) unsafe fn bytes<'a>(field: &str, data: *const u8, len: usize) -> Result<&'a [u8], Error> {
    if data.is_null() {
        return match len {
            0 => Ok(&[]),
            _ => Err(Error::argument(format!("{field}: is NULL, but {len} bytes long"))),
        };
    }
    if isize::try_from(len).is_err() {
        return Err(Error::argument(format!("{field}: no object is {len} bytes long")));
    }
    // SAFETY: the caller guarantees it, and the length is not greater than that of any object.
    Ok(unsafe { std::slice::from_raw_parts(data, len) })
}

/// Copies a string of the caller's; fails if there is no memory for it.
pub(super) fn copy(field: &str, text: &str) -> Result<String, Error> {
    let mut own = String::new();
    own.try_reserve_exact(text.len()).map_err(|_| no_memory(field))?;
    own.push_str(text);
    Ok(own)
}

/// Fails if the process has so little memory left that nothing begins that needs some.
pub(super) fn check_memory(field: &str) -> Result<(), Error> {
    if reserve::is_low() { Err(no_memory(field)) } else { Ok(()) }
}

pub(super) fn no_memory(field: &str) -> Error {
    Error::new(Status::NoMemory, format!("{field}: there is no memory for it"))
}

/// Makes a text fit for C: each NUL in it becomes U+FFFD.
pub(super) fn without_nul(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// NUL-terminated bytes.
pub(super) struct NulTerminated(Vec<u8>);

impl NulTerminated {
    /// Takes the bytes over. `Err`: no memory.
    pub(super) fn of(mut bytes: Vec<u8>) -> Result<Self, ()> {
        // Exactly one: a full vector would otherwise double its capacity for the NUL.
        bytes.try_reserve_exact(1).map_err(drop)?;
        bytes.push(0);
        Ok(Self(bytes))
    }

    /// Copies the bytes. `Err`: no memory.
    pub(super) fn copied(bytes: &[u8]) -> Result<Self, ()> {
        let mut own = Vec::new();
        own.try_reserve_exact(bytes.len().checked_add(1).ok_or(())?).map_err(drop)?;
        own.extend_from_slice(bytes);
        Self::of(own)
    }

    /// Takes a string over, see [`without_nul`]. `Err`: no memory.
    pub(super) fn text(text: String) -> Result<Self, ()> {
        Self::of(without_nul(text).into_bytes())
    }

    /// Copies a string, see [`without_nul`]. `Err`: no memory.
    pub(super) fn copied_text(text: &str) -> Result<Self, ()> {
        if text.contains('\0') { Self::text(text.to_owned()) } else { Self::copied(text.as_bytes()) }
    }

    /// Returns a pointer that is valid as long as the object lives, even if the object is moved.
    pub(super) fn as_ptr(&self) -> *const u8 {
        self.0.as_ptr()
    }

    /// Returns the length without the NUL.
    pub(super) fn len(&self) -> usize {
        self.0.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_inner_nul_does_not_cut_a_string() {
        let text = NulTerminated::text("a\0b".into()).unwrap();
        assert_eq!(text.0, "a\u{fffd}b\0".as_bytes());
        assert_eq!(text.len(), 5);
        assert_eq!(NulTerminated::copied_text("a\0b").unwrap().0, text.0);
    }

    #[test]
    fn a_nul_behind_a_full_vector_does_not_double_it() {
        let bytes = vec![b'x'; 1_000_000];
        assert!(NulTerminated::of(bytes).unwrap().0.capacity() < 1_100_000);
    }
}
