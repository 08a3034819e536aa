//! The error type: a status, and a message for the person who has to correct the error.

use std::fmt;

use crate::server_text::ServerText;
use crate::status::Status;

/// A status and a message that names the field, file or address at fault. Never holds a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    status: Status,
    message: String,
    is_for_lack_of_descriptors: bool,
}

impl Error {
    /// Makes an error. Control characters of the message, which come from files and other programs, are replaced.
    pub(crate) fn new(status: Status, message: impl Into<String>) -> Self {
        let message = message.into();
        let message = if message.contains(char::is_control) { ServerText::of(&message) } else { message };
        Self { status, message, is_for_lack_of_descriptors: false }
    }

    /// Marks the error as one that goes away once the process has a descriptor left.
    pub(crate) fn for_lack_of_descriptors(self) -> Self {
        Self { is_for_lack_of_descriptors: true, ..self }
    }

    pub(crate) fn is_for_lack_of_descriptors(&self) -> bool {
        self.is_for_lack_of_descriptors
    }

    /// Makes an error for a value of the caller's that cannot be sent.
    pub(crate) fn argument(message: impl Into<String>) -> Self {
        Self::new(Status::InvalidArgument, message)
    }

    /// Makes an error for settings that contradict each other, or for a missing one.
    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::new(Status::Config, message)
    }

    /// Returns the status that calls with this error end with.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Returns what is wrong and what to do about it.
    pub fn message(&self) -> &str {
        &self.message
    }
}

/// Formats a value for a message: in quotes, with escapes, and shortened if it is long.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_without_control_characters() {
        let error = Error::config("profile a\n b: \u{1b}[31m no\0");
        assert_eq!(error.message(), "profile a b: \u{fffd}[31m no\u{fffd}");
    }
}
