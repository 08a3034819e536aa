//! A descriptor that an event loop can wait on: readable while it is set.

#[cfg(unix)]
use crate::platform::limits;

#[cfg(unix)]
pub(crate) use unix::Event;

#[cfg(not(unix))]
pub(crate) use other::Event;

#[cfg(any(target_os = "linux", target_os = "android"))]
mod unix {
    use std::io;
    use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

    /// An eventfd: one descriptor.
    #[derive(Debug)]
    pub(crate) struct Event(OwnedFd);

    impl Event {
        pub(crate) fn new() -> io::Result<Self> {
            // SAFETY: eventfd has no precondition.
            match unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) } {
                -1 => Err(io::Error::last_os_error()),
                // SAFETY: a new descriptor, which nothing else owns.
                descriptor => Ok(Self(unsafe { OwnedFd::from_raw_fd(descriptor) })),
            }
        }

        pub(crate) fn descriptor(&self) -> i32 {
            self.0.as_raw_fd()
        }

        /// Makes it readable.
        pub(crate) fn set(&self) {
            let one = 1u64.to_ne_bytes();
            // SAFETY: `one` is valid for reads of its length. It cannot fail: the counter is 0 or 1.
            unsafe { libc::write(self.descriptor(), one.as_ptr().cast(), one.len()) };
        }

        /// Makes it unreadable.
        pub(crate) fn clear(&self) {
            let mut count = [0u8; 8];
            // SAFETY: `count` is valid for writes of its length. It does not block, whatever the counter is.
            unsafe { libc::read(self.descriptor(), count.as_mut_ptr().cast(), count.len()) };
        }
    }
}

#[cfg(all(unix, not(any(target_os = "linux", target_os = "android"))))]
mod unix {
    use std::io::{self, Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    /// A pair of sockets: two descriptors.
    #[derive(Debug)]
    pub(crate) struct Event {
        waited_on: UnixStream,
        written_to: UnixStream,
    }

    impl Event {
        pub(crate) fn new() -> io::Result<Self> {
            let (waited_on, written_to) = UnixStream::pair()?;
            waited_on.set_nonblocking(true)?;
            written_to.set_nonblocking(true)?;
            Ok(Self { waited_on, written_to })
        }

        pub(crate) fn descriptor(&self) -> i32 {
            self.waited_on.as_raw_fd()
        }

        /// Makes it readable.
        pub(crate) fn set(&self) {
            // It cannot fail: at most one byte is in the pair.
            let _ = (&self.written_to).write(&[1]);
        }

        /// Makes it unreadable.
        pub(crate) fn clear(&self) {
            let _ = (&self.waited_on).read(&mut [0; 8]);
        }
    }
}

#[cfg(not(unix))]
mod other {
    /// This system has no descriptor that every event loop can wait on.
    #[derive(Debug)]
    pub(crate) enum Event {}

    impl Event {
        pub(crate) fn descriptor(&self) -> i32 {
            match *self {}
        }

        pub(crate) fn set(&self) {}

        pub(crate) fn clear(&self) {}
    }
}

/// Makes an event. `Ok(None)`: this system has none. The error explains why it could not be made.
pub(crate) fn event() -> Result<Option<Event>, String> {
    #[cfg(unix)]
    return Event::new().map(Some).map_err(|error| limits::explained(&error).unwrap_or_else(|| error.to_string()));
    #[cfg(not(unix))]
    return Ok(None);
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn is_readable(event: &Event) -> bool {
        let mut polled = libc::pollfd { fd: event.descriptor(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid pollfd; it does not wait.
        unsafe { libc::poll(&raw mut polled, 1, 0) == 1 }
    }

    #[test]
    fn an_event_is_readable_from_set_to_clear() {
        let event = event().unwrap().unwrap();
        assert!(!is_readable(&event));
        event.set();
        assert!(is_readable(&event) && is_readable(&event), "it stays readable");
        event.clear();
        assert!(!is_readable(&event));
        event.clear();
        event.set();
        assert!(is_readable(&event));
    }
}
