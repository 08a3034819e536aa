// What the programs in this folder share: a type that C owns pointers to, one that C only borrows, and one that C has no
// pointers to.

#[path = "../../src/ffi/handle.rs"]
mod handle;

/// What that file imports, in the place of the crate.
mod platform {
    pub(crate) mod reserve {
        pub(crate) fn is_low() -> bool {
            false
        }
    }
}

struct Owned(u8);

// SAFETY: C sees nothing of it.
unsafe impl handle::Object for Owned {
    type Inside = Self;
}

impl handle::OwnedByCaller for Owned {}

struct Lent(u8);

// SAFETY: C sees nothing of it.
unsafe impl handle::Object for Lent {
    type Inside = Self;
}

struct Unknown(u8);
