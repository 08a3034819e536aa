// error[E0277]: the trait bound `Unknown: Object` is not satisfied

include!("objects.rs");

fn main() {
    let object: *const Unknown = std::ptr::null();
    // SAFETY: NULL.
    let _ = unsafe { handle::as_ref(object) };
}
