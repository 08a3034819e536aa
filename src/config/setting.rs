//! One setting, and where it came from.

use std::fmt;
use std::path::PathBuf;

/// Who said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A field of `Config`, by its name.
    Setter(&'static str),
    /// An environment variable.
    Variable(&'static str),
    /// A key of a profile, in this file.
    Profile { profile: String, key: String, file: PathBuf },
    /// The operating system.
    System,
    /// Nobody: what holds where nothing was said.
    Default,
}

impl Origin {
    /// As a message about a bad value begins.
    pub(crate) fn field(&self) -> String {
        match self {
            Self::Setter(name) | Self::Variable(name) => (*name).to_owned(),
            Self::Profile { profile, key, file } => format!("{key} of profile {profile} in {}", file.display()),
            Self::System | Self::Default => self.to_string(),
        }
    }
}

/// As `describe` shows it.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setter(_) => f.write_str("setter"),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Profile { profile, key, file } => write!(f, "profile {profile} in {}, {key}", file.display()),
            Self::System => f.write_str("system"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and its origin.
#[derive(Clone, Debug)]
pub(crate) struct Setting<T> {
    pub(crate) value: T,
    pub(crate) origin: Origin,
}

impl<T> Setting<T> {
    pub(crate) fn new(value: T, origin: Origin) -> Self {
        Self { value, origin }
    }

    /// The field of `Config`, or the default.
    pub(crate) fn set_or(name: &'static str, set: Option<T>, default: T) -> Self {
        match set {
            Some(value) => Self::new(value, Origin::Setter(name)),
            None => Self::new(default, Origin::Default),
        }
    }

    /// The same setting as something else; a refusal names where it came from.
    pub(crate) fn try_map<U, E>(self, map: impl FnOnce(&str, T) -> Result<U, E>) -> Result<Setting<U>, E> {
        let value = map(&self.origin.field(), self.value)?;
        Ok(Setting { value, origin: self.origin })
    }
}
