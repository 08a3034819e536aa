//! The environment, as it is while a client is made.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::config::setting::{Origin, Setting};
use crate::error::Error;

/// What the process says of itself.
pub(crate) struct Environment<'a> {
    /// Reads a variable.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// Of the user, also where no variable says it.
    pub(crate) home: Option<PathBuf>,
}

impl Environment<'_> {
    /// Set but empty is as good as not set, as the AWS tools have it.
    pub(crate) fn get(&self, name: &'static str) -> Result<Option<String>, Error> {
        match (self.variable)(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(value)) if value.is_empty() => Ok(None),
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(_)) => Err(Error::config(format!("{name}: is not UTF-8"))),
        }
    }

    /// The first of these that is set.
    pub(crate) fn first(&self, names: &[&'static str]) -> Result<Option<Setting<String>>, Error> {
        for name in names {
            if let Some(value) = self.get(name)? {
                return Ok(Some(Setting::new(value, Origin::Variable(name))));
            }
        }
        Ok(None)
    }

    /// That one of these is set, but empty: there are readers that do not take that for unset.
    pub(crate) fn set_but_empty(&self, names: &[&str]) -> Option<String> {
        let empty = names.iter().find(|name| (self.variable)(name).is_some_and(|value| value.is_empty()))?;
        Some(format!("{empty} is set, but empty: unset it"))
    }

    /// A path, which need not be UTF-8; `~/` is the user's home.
    pub(crate) fn path(&self, name: &'static str) -> Option<PathBuf> {
        (self.variable)(name).filter(|value| !value.is_empty()).map(|value| self.expand(value.into()))
    }

    /// Puts the user's home in the place of a leading `~`.
    pub(crate) fn expand(&self, path: PathBuf) -> PathBuf {
        match (path.strip_prefix("~"), &self.home) {
            (Ok(rest), Some(home)) => home.join(rest),
            _ => path,
        }
    }
}
