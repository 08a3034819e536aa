//! Faults that a tool must find, as a proof that it was on: `make sanitize` and `make miri` run them and expect a report.

use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::thread;

/// A number that threads share without a lock.
struct Shared(*mut u32);

// SAFETY: none. The race is the fault that is planted here.
unsafe impl Send for Shared {}

#[test]
#[ignore = "a data race, for ThreadSanitizer and Miri"]
fn race() {
    let mut number = 0_u32;
    let place = &raw mut number;
    let begun = AtomicU32::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            let (shared, begun) = (Shared(place), &begun);
            scope.spawn(move || {
                let Shared(place) = { shared };
                // Relaxed, so that nothing orders the threads. One that ended before the other begins may be ordered.
                begun.fetch_add(1, Ordering::Relaxed);
                while begun.load(Ordering::Relaxed) < 2 {
                    thread::yield_now();
                }
                for _ in 0..1000 {
                    // SAFETY: none, see above.
                    unsafe { place.write_volatile(place.read_volatile() + 1) };
                }
            });
        }
    });
    assert!(number > 0);
}

#[test]
#[ignore = "a use after a free, for Miri and AddressSanitizer"]
fn freed() {
    // Through an atomic, so that the compiler does not see that it is wrong.
    let place = AtomicPtr::new(Box::into_raw(Box::new(1_u32)));
    // SAFETY: it came from a box.
    drop(unsafe { Box::from_raw(place.load(Ordering::SeqCst)) });
    // SAFETY: none. It is freed, which is the fault that is planted here.
    let number = unsafe { place.load(Ordering::SeqCst).read_volatile() };
    println!("{number}");
}
