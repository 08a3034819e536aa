// Compiles, so the other programs do not fail because of what they share.

include!("objects.rs");

fn main() {
    let object: *mut Owned = handle::into_raw(Owned(1));
    // SAFETY: it was just made, and is not used after it was freed.
    unsafe { handle::free(object) };
}
