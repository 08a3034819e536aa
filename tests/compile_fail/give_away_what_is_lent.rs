// error[E0277]: the trait bound `Lent: OwnedByCaller` is not satisfied

include!("objects.rs");

fn main() {
    let _: *mut Lent = handle::into_raw(Lent(1));
}
