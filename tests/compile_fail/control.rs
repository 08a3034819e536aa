// Compiles: what the others fail for is not what they share.

include!("objects.rs");

fn main() {
    let object: *mut Owned = handle::into_raw(Owned(1));
    // SAFETY: it was just made, and is not used after it was freed.
    unsafe { handle::free(object) };
}
