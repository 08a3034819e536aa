// error[E0277]: the trait bound `Lent: OwnedByCaller` is not satisfied

include!("objects.rs");

fn main() {
    let object: *mut Lent = std::ptr::null_mut();
    // SAFETY: NULL.
    unsafe { handle::free(object) };
}
