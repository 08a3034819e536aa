//! A setting, and where it came from.

use std::fmt;
use std::path::PathBuf;

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A field of `Config`, by its name.
    Setter(&'static str),
    /// An environment variable.
    Variable(&'static str),
    /// A property of a profile, in this file.
    Profile { profile: String, property: String, file: PathBuf },
    /// The operating system.
    System,
    /// It was not set.
    Default,
}

impl Origin {
    /// Returns what a message about an invalid value begins with.
    pub(crate) fn field(&self) -> String {
        match self {
            Self::Setter(name) | Self::Variable(name) => (*name).to_owned(),
            Self::Profile { profile, property, file } => {
                format!("{property} of profile {profile} in {}", file.display())
            }
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
            Self::Profile { profile, property, file } => {
                write!(f, "profile {profile} in {}, {property}", file.display())
            }
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

    /// Takes a field of `Config`, if it is set.
    pub(crate) fn of_setter(name: &'static str, set: Option<T>) -> Option<Self> {
        set.map(|value| Self::new(value, Origin::Setter(name)))
    }

    /// Takes a field of `Config`, if it is set and not 0. 0 is the default, in Rust as in C: nobody means a call that may
    /// take no time, or never begin.
    pub(crate) fn of_setter_unless_zero(name: &'static str, set: Option<T>) -> Option<Self>
    where
        T: Default + PartialEq,
    {
        Self::of_setter(name, set.filter(|value| *value != T::default()))
    }

    pub(crate) fn default(value: T) -> Self {
        Self::new(value, Origin::Default)
    }

    /// Turns the value into another; `map` gets the origin's name for its messages.
    pub(crate) fn try_map<U, E>(self, map: impl FnOnce(&str, T) -> Result<U, E>) -> Result<Setting<U>, E> {
        let value = map(&self.origin.field(), self.value)?;
        Ok(Setting { value, origin: self.origin })
    }
}
