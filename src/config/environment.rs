//! The environment, as it is while a client is made.

use std::ffi::OsString;
use std::path::{Component, PathBuf};

use zeroize::Zeroizing;

use crate::config::setting::{Origin, Setting};
use crate::error::Error;
use crate::platform_api::OutOfDescriptors;

/// The variables and the home of the process.
pub(crate) struct Environment<'a> {
    /// Reads a variable.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// The user's home, also where no variable says where it is.
    pub(crate) home: Option<PathBuf>,
    /// Looks up the home of another user.
    pub(crate) home_of: &'a dyn Fn(&str) -> Option<PathBuf>,
    pub(crate) out_of_descriptors: OutOfDescriptors,
}

impl Environment<'_> {
    /// Returns a variable without the blanks around it, which are nobody's intention: a line break comes easily with the
    /// contents of a file. A variable that is set but empty counts as not set, as in the AWS tools.
    pub(crate) fn get(&self, name: &'static str) -> Result<Option<String>, Error> {
        match (self.variable)(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(without_blanks(value)).filter(|value| !value.is_empty())),
            Some(Err(_)) => Err(Error::config(format!("{name}: is not UTF-8"))),
        }
    }

    /// Returns the first of these that is set.
    pub(crate) fn first(&self, names: &[&'static str]) -> Result<Option<Setting<String>>, Error> {
        for name in names {
            if let Some(value) = self.get(name)? {
                return Ok(Some(Setting::new(value, Origin::Variable(name))));
            }
        }
        Ok(None)
    }

    /// Whether a variable is set, be it empty.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        (self.variable)(name).is_some()
    }

    /// Says which of these is set, but empty: some readers do not take that for unset.
    pub(crate) fn set_but_empty(&self, names: &[&str]) -> Option<String> {
        let is_blank = |value: OsString| value.to_str().is_some_and(|value| value.trim().is_empty());
        let empty = names.iter().find(|name| (self.variable)(name).is_some_and(is_blank))?;
        Some(format!("{empty} is set, but empty: unset it"))
    }

    /// Returns a path, which need not be UTF-8; `~/` is the user's home, and `~NAME/` that of the user NAME.
    pub(crate) fn path(&self, name: &'static str) -> Option<PathBuf> {
        self.raw_path(name).map(|path| self.expand(path.into()))
    }

    /// Returns a path in which `$NAME` and `${NAME}` stand for variables: those of the shared files, as in botocore.
    pub(crate) fn path_with_variables(&self, name: &'static str) -> Option<PathBuf> {
        let path = match self.raw_path(name)?.into_string() {
            Ok(path) => self.with_variables(&path),
            Err(not_utf8) => not_utf8,
        };
        Some(self.expand(path.into()))
    }

    fn raw_path(&self, name: &str) -> Option<OsString> {
        let path = (self.variable)(name)?;
        let path = path.into_string().map_or_else(|path| path, |path| without_blanks(path).into());
        Some(path).filter(|path| !path.is_empty())
    }

    /// Puts the user's home in the place of a leading `~`, and another user's in that of `~NAME`, by the rules of Python's
    /// `os.path.expanduser`: where no home is known, the path stays as it is written.
    pub(crate) fn expand(&self, path: PathBuf) -> PathBuf {
        let mut parts = path.components();
        let Some(Component::Normal(first)) = parts.next() else { return path };
        let home = match first.to_str().and_then(|first| first.strip_prefix('~')) {
            Some("") => self.home.clone(),
            Some(user) => (self.home_of)(user),
            None => None,
        };
        home.map_or_else(|| path.clone(), |home| home.join(parts.as_path()))
    }

    /// Puts variables in the place of `$NAME` and `${NAME}`, by the rules of Python's `os.path.expandvars`: one that is not
    /// set stays as it is written.
    fn with_variables(&self, text: &str) -> OsString {
        let mut expanded = OsString::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('$') {
            expanded.push(before);
            let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
            let (name, length) = match after.strip_prefix('{').and_then(|inside| inside.split_once('}')) {
                Some((name, _)) => (name, name.len() + 2),
                None => (&after[..end], end),
            };
            match (self.variable)(name) {
                Some(value) => expanded.push(value),
                None => {
                    expanded.push("$");
                    expanded.push(&after[..length]);
                }
            }
            rest = &after[length..];
        }
        expanded.push(rest);
        expanded
    }
}

/// The value itself where nothing is to be removed; a copy is wiped, since it may be a secret.
fn without_blanks(value: String) -> String {
    match value.trim().len() == value.len() {
        true => value,
        false => Zeroizing::new(value).trim().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment<T>(variables: &[(&str, &str)], test: impl FnOnce(Environment<'_>) -> T) -> T {
        let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into());
        let home_of = |user: &str| (user == "you").then(|| "/home/you".into());
        test(Environment {
            variable: &variable,
            home: Some("/home/me".into()),
            home_of: &home_of,
            out_of_descriptors: |_| None,
        })
    }

    #[test]
    fn blanks_around_a_value_are_not_part_of_it() {
        environment(&[("A", " \tx y\r\n"), ("B", " \n"), ("C", "")], |environment| {
            assert_eq!(environment.get("A").unwrap().as_deref(), Some("x y"));
            assert_eq!(environment.get("B").unwrap(), None);
            assert_eq!(environment.path("A"), Some("x y".into()));
            assert_eq!(environment.path("B"), None);
            assert!(environment.set_but_empty(&["A", "B"]).unwrap().starts_with("B "));
            assert!(environment.is_set("C") && !environment.is_set("D"));
        });
    }

    #[test]
    fn variables_in_the_paths_of_the_shared_files_are_expanded() {
        for (path, expanded) in [
            ("$D/config", "/data/config"),
            ("${D}/config", "/data/config"),
            ("/x/$D$D", "/x//data/data"),
            ("$TILDE/config", "/home/me/config"),
            ("~/$D", "/home/me//data"),
            ("~you/$D", "/home/you//data"),
            ("~you", "/home/you"),
            ("~", "/home/me"),
            ("~nobody/config", "~nobody/config"),
            ("./~you/config", "./~you/config"),
            ("/x/~you/config", "/x/~you/config"),
            ("$NONE/${NONE}/$/${}/${D", "$NONE/${NONE}/$/${}/${D"),
            ("$Dx/$\u{e9}", "$Dx/$\u{e9}"),
            ("${EMPTY}x", "x"),
        ] {
            let variables = [("P", path), ("D", "/data"), ("TILDE", "~"), ("EMPTY", "")];
            environment(&variables, |environment| {
                assert_eq!(environment.path_with_variables("P"), Some(expanded.into()), "{path}");
            });
        }
        environment(&[("P", "$D/x"), ("D", "/data")], |environment| {
            assert_eq!(environment.path("P"), Some("$D/x".into()));
        });
    }
}
