//! A descriptor of the model, and the event loop's wait for it.

use std::io;
use std::sync::Arc;

use loom::sync::{Condvar, Mutex};

/// Readable while it is set. Clones are the same descriptor.
#[derive(Clone, Default)]
pub(crate) struct Event(Arc<Readable>);

#[derive(Default)]
struct Readable {
    is: Mutex<bool>,
    becomes: Condvar,
}

loom::lazy_static! {
    /// Those of this run of the model, by their number.
    static ref EVENTS: std::sync::Mutex<Vec<Event>> = std::sync::Mutex::default();
}

pub(crate) fn event() -> io::Result<Option<Event>> {
    let event = Event::default();
    EVENTS.lock().unwrap().push(event.clone());
    Ok(Some(event))
}

impl Event {
    pub(crate) fn of(descriptor: i32) -> Self {
        EVENTS.lock().unwrap()[usize::try_from(descriptor).unwrap()].clone()
    }

    pub(crate) fn descriptor(&self) -> i32 {
        let events = EVENTS.lock().unwrap();
        let number = events.iter().position(|event| Arc::ptr_eq(&event.0, &self.0)).unwrap();
        i32::try_from(number).unwrap()
    }

    pub(crate) fn set(&self) {
        *self.0.is.lock().unwrap() = true;
        self.0.becomes.notify_all();
    }

    pub(crate) fn clear(&self) {
        *self.0.is.lock().unwrap() = false;
    }

    pub(crate) fn is_readable(&self) -> bool {
        *self.0.is.lock().unwrap()
    }

    pub(crate) fn wait(&self) {
        let mut is = self.0.is.lock().unwrap();
        while !*is {
            is = self.0.becomes.wait(is).unwrap();
        }
    }
}
