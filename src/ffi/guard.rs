//! The guard around every entry that could fail: panics stop here and are not printed, and the thread cannot be
//! cancelled meanwhile.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, PanicHookInfo};
use std::sync::Once;
use std::thread;

use crate::platform::signals::CancelDisabled;

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// The description of this thread's last panic.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs the body of an entry. `on_panic` makes the return value from the description of a panic.
pub(super) fn entry<T>(on_panic: impl FnOnce(String) -> T, body: impl FnOnce() -> T) -> T {
    let _uncancelled = CancelDisabled::new();
    keep_panics_quiet();
    // The caller may have called from a callback.
    let outer = INSIDE.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    INSIDE.set(outer);
    match result {
        Ok(value) => value,
        Err(_) => {
            let what = PANIC.take().unwrap_or_default();
            on_panic(format!("a panic was caught inside the library{what}; please report it"))
        }
    }
}

/// Keeps panics of this library off stderr. Other panics go to the application's hook.
fn keep_panics_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let applications = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let ours = INSIDE.get() || thread::current().name().is_some_and(|name| name.starts_with("lambda-"));
            if ours {
                PANIC.set(Some(describe(info)));
            } else {
                applications(info);
            }
        }));
    });
}

/// Returns the place of a panic, and its message if that is a constant of the source: a formatted one might hold a
/// secret.
fn describe(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
    let payload: &(dyn Any + Send) = info.payload();
    let message = payload.downcast_ref::<&'static str>().map(|text| format!(": {text}")).unwrap_or_default();
    place + &message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_value_that_names_its_place_but_no_value() {
        let text = entry(|what| what, || panic!("fixed text"));
        assert!(text.contains("guard.rs:") && text.contains("fixed text"), "{text}");
        let secret = String::from("hunter2");
        let text = entry(|what| what, || panic!("{secret}"));
        assert!(text.contains("guard.rs:") && !text.contains("hunter2"), "{text}");
    }
}
