//! Why something could not be done, in words for the person who has to mend it.

use std::fmt;

use crate::status::Status;

/// A status and a message that names the field, file or address at fault. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    status: Status,
    message: String,
}

impl Error {
    pub(crate) fn new(status: Status, message: impl Into<String>) -> Self {
        Self { status, message: message.into() }
    }

    /// What the caller gave cannot be sent.
    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self::new(Status::InvalidArgument, message)
    }

    /// The settings do not fit together, or one is missing.
    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::new(Status::Config, message)
    }

    /// Which kind of failure it is.
    pub fn status(&self) -> Status {
        self.status
    }

    /// What is wrong and what to do about it.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// A value as a message shows it: in quotes, with escapes, and not all of a long one.
pub(crate) fn quoted(value: &str) -> String {
    const SHOWN: usize = 80;
    match value.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{:?}... ({} bytes)", &value[..at], value.len()),
        None => format!("{value:?}"),
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
