// error[E0277]: the trait bound `Unknown: OwnedByCaller` is not satisfied

include!("objects.rs");

fn main() {
    let object: *mut Unknown = std::ptr::null_mut();
    // SAFETY: NULL.
    unsafe { handle::free(object) };
}
