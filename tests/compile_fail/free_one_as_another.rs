// error[E0308]: mismatched types

include!("objects.rs");

fn main() {
    let object: *mut Unknown = std::ptr::null_mut();
    // SAFETY: NULL.
    unsafe { handle::free::<Owned>(object) };
}
