//! The shared AWS files and the profiles in them. Source of their lookup: the AWS SDKs and Tools Reference Guide, "Shared
//! config and credentials files", and botocore.

use std::io;
use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::config::environment::Environment;
use crate::config::setting::{Origin, Setting};
use crate::config::shared_file::{Kind, NoHeader, SectionName, SharedFile, nested};
use crate::error::{Error, quoted};

const DEFAULT: &str = "default";
/// Longer than anybody names a profile.
const MAX_NAME_BYTES: usize = 256;

/// Both files, and the name of the selected profile.
#[derive(Debug)]
pub(crate) struct Profiles {
    pub(crate) name: Setting<String>,
    pub(crate) config: File,
    pub(crate) credentials: File,
}

/// One of the files.
#[derive(Debug)]
pub(crate) struct File {
    /// Absent where no home is known.
    pub(crate) path: Setting<Option<PathBuf>>,
    sections: SharedFile,
    /// Why nothing was read.
    absent: Option<String>,
    /// Whether it is there, but could not be read.
    is_unreadable: bool,
}

impl Profiles {
    /// Reads both files. A missing file counts as an empty one. `selected` is the setter's; then the profile must exist.
    /// Fails if the selected profile has a line that is not valid; other profiles may be as they like.
    pub(crate) fn read(selected: Option<&str>, environment: &Environment<'_>) -> Result<Self, Error> {
        let name = match selected {
            Some(name) => Setting::new(name.to_owned(), Origin::Setter("profile")),
            None => environment
                .first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"])?
                .unwrap_or_else(|| Setting::new(DEFAULT.to_owned(), Origin::Default)),
        };
        let config = File::read(Kind::Config, "AWS_CONFIG_FILE", "config", environment)?;
        let credentials = File::read(Kind::Credentials, "AWS_SHARED_CREDENTIALS_FILE", "credentials", environment)?;
        Self { name, config, credentials }.checked(selected.is_some())
    }

    /// The same with what the files hold.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn of(name: &str, config: &[u8], credentials: &[u8]) -> Result<Self, Error> {
        let path = |name: &str| Setting::default(Some(PathBuf::from(name)));
        let name = Setting::new(name.to_owned(), Origin::Setter("profile"));
        let config = File::parse(Kind::Config, path("config"), Zeroizing::new(config.to_vec()))?;
        let credentials = File::parse(Kind::Credentials, path("credentials"), Zeroizing::new(credentials.to_vec()))?;
        Self { name, config, credentials }.checked(true)
    }

    fn checked(self, must_exist: bool) -> Result<Self, Error> {
        let selected = &self.name.value;
        if let Some(fault) = self.fault(selected) {
            return Err(Error::config(fault));
        }
        if must_exist && !self.exists(selected) {
            return Err(Error::config(self.no_such(selected)));
        }
        Ok(self)
    }

    pub(crate) fn exists(&self, profile: &str) -> bool {
        let section = SectionName::Profile(profile.to_owned());
        self.files().iter().any(|file| file.sections.contains(&section))
    }

    /// What is wrong with a profile's lines.
    pub(crate) fn fault(&self, profile: &str) -> Option<String> {
        let section = SectionName::Profile(profile.to_owned());
        self.files().iter().find_map(|file| file.fault(&section))
    }

    fn files(&self) -> [&File; 2] {
        [&self.credentials, &self.config]
    }

    /// Returns a property of any profile. The file that has it decides, the credentials file first; an empty value counts as
    /// not set.
    pub(crate) fn get(&self, profile: &str, property: &str) -> Option<Setting<String>> {
        let (file, value) = self.find(profile, property)?;
        (!value.is_empty()).then(|| Setting::new(value, file.origin(profile, property)))
    }

    fn find(&self, profile: &str, property: &str) -> Option<(&File, String)> {
        let section = SectionName::Profile(profile.to_owned());
        self.files().into_iter().find_map(|file| Some((file, file.property(&section, property)?)))
    }

    /// Returns a property of the selected profile.
    pub(crate) fn selected(&self, property: &str) -> Option<Setting<String>> {
        self.get(&self.name.value, property)
    }

    /// Returns the endpoint of one service, from the section that the selected profile's `services` names. Fails if that
    /// section cannot mean what it was written for: the call would go to AWS's own endpoint without a word.
    pub(crate) fn endpoint_of_service(&self, service: &str) -> Result<Option<Setting<String>>, Error> {
        let Some((file, name)) = self.find(&self.name.value, "services") else { return Ok(None) };
        let section = SectionName::Services(name.clone());
        let config = &self.config;
        let title = format!("[services {name}] in {}", config.place());
        let invalid = |why: &str| {
            let field = file.origin(&self.name.value, "services").field();
            Err(Error::config(format!("{field}: {title} {why}")))
        };
        if let Some(fault) = config.fault(&section) {
            return Err(Error::config(fault));
        }
        if config.sections.is_empty(&section) {
            return invalid(if config.sections.contains(&section) { "is empty" } else { "does not exist" });
        }
        let indented = "has an endpoint_url that belongs to no service: indent it below the name of its service";
        match config.sections.get(&section, service) {
            None if config.sections.has(&section, "endpoint_url") => invalid(indented),
            None => Ok(None),
            Some(value) if !value.starts_with('\n') => {
                invalid(&format!("must have the properties of {service} below \"{service} =\", indented"))
            }
            Some(value) => match nested(&value, "endpoint_url") {
                Err(()) => invalid(&format!("has a line below \"{service} =\" that is not NAME = VALUE")),
                Ok(url) => Ok(url.filter(|url| !url.is_empty()).map(|url| {
                    let property = format!("endpoint_url of {service} in services {name}");
                    Setting::new(url.to_owned(), config.origin(&self.name.value, &property))
                })),
            },
        }
    }

    pub(crate) fn has_sso_session(&self, session: &str) -> bool {
        self.config.sections.contains(&SectionName::SsoSession(session.to_owned()))
    }

    /// Returns a property of an `sso-session` section.
    pub(crate) fn sso_session(&self, session: &str, property: &str) -> Option<String> {
        self.config.property(&SectionName::SsoSession(session.to_owned()), property).filter(|value| !value.is_empty())
    }

    /// Says that a profile is in neither file, and which files these are.
    pub(crate) fn no_such(&self, profile: &str) -> String {
        let files = format!("no such profile in {} or {}", self.config.place(), self.credentials.place());
        match self.config.sections.contains(&SectionName::Other(profile.to_owned())) {
            false => format!("profile {profile}: {files}"),
            true => format!("profile {profile}: {files}: a profile of the config file begins with [profile {profile}]"),
        }
    }

    /// What does not stop a client, but may not be what was meant.
    pub(crate) fn warnings(&self) -> impl Iterator<Item = String> {
        let unreadable = self.files().into_iter().filter(|file| file.is_unreadable);
        let unreadable = unreadable.map(|file| format!("not read: {}", file.place()));
        let name = &self.name.value;
        let is_missing = self.name.origin != Origin::Default && !self.exists(name);
        let missing = is_missing.then(|| format!("{}: {}", self.name.origin.field(), self.no_such(name)));
        let section = SectionName::Profile(name.clone());
        let swallowing = self.files().into_iter().filter_map(move |file| {
            let field = file.origin(name, file.sections.swallowing(&section)?).field();
            Some(format!("{field}: the lines below it are indented deeper, so they continue its value"))
        });
        unreadable.chain(missing).chain(swallowing)
    }
}

impl File {
    fn read(kind: Kind, variable: &'static str, name: &str, environment: &Environment<'_>) -> Result<Self, Error> {
        let path = match (environment.path_with_variables(variable), &environment.home) {
            (Some(path), _) => Setting::new(Some(path), Origin::Variable(variable)),
            (None, Some(home)) => Setting::new(Some(home.join(".aws").join(name)), Origin::Default),
            (None, None) => Setting::new(None, Origin::Default),
        };
        let absent = |path, why: &str, is_unreadable| {
            Ok(Self { path, sections: SharedFile::default(), absent: Some(why.to_owned()), is_unreadable })
        };
        let Some(file) = path.value.clone() else {
            return absent(path, "no home directory is known", false);
        };
        match SharedFile::load(&file) {
            Ok(bytes) => Self::parse(kind, path, bytes),
            // Nobody knows what the file holds: without it the client might be another one than was meant.
            Err(error) if let Some(why) = (environment.out_of_descriptors)(&error) => {
                Err(Error::config(format!("{}: {why}", file.display())))
            }
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => absent(path, "no such file", false),
                io::ErrorKind::FileTooLarge | io::ErrorKind::OutOfMemory => {
                    Err(Error::config(format!("{}: {error}", file.display())))
                }
                _ => absent(path, &error.to_string(), true),
            },
        }
    }

    /// Reads what a file holds.
    fn parse(kind: Kind, path: Setting<Option<PathBuf>>, bytes: Zeroizing<Vec<u8>>) -> Result<Self, Error> {
        match SharedFile::parse(bytes, kind) {
            Ok(sections) => Ok(Self { path, sections, absent: None, is_unreadable: false }),
            Err(NoHeader { line }) => {
                let example = if kind == Kind::Config { "[profile NAME]" } else { "[NAME]" };
                let path = path.value.unwrap_or_default();
                Err(Error::config(format!(
                    "{}, line {line}: stands before the first section: begin it with [default] or {example}",
                    path.display()
                )))
            }
        }
    }

    /// Returns a property of one of its profiles; an empty value counts as not set.
    pub(crate) fn get(&self, profile: &str, property: &str) -> Option<String> {
        self.property(&SectionName::Profile(profile.to_owned()), property).filter(|value| !value.is_empty())
    }

    /// Returns a property without the blanks around it.
    fn property(&self, section: &SectionName, property: &str) -> Option<String> {
        let value = Zeroizing::new(self.sections.get(section, property)?);
        Some(value.trim().to_owned())
    }

    fn fault(&self, section: &SectionName) -> Option<String> {
        let line = self.sections.faulty_line(section)?;
        let path = self.path.value.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
        Some(format!("{path}, line {line}: expected [SECTION], NAME = VALUE in UTF-8, or a comment that begins with #"))
    }

    fn origin(&self, profile: &str, property: &str) -> Origin {
        Origin::Profile {
            profile: profile.to_owned(),
            property: property.to_owned(),
            file: self.path.value.clone().unwrap_or_default(),
        }
    }

    /// Returns its path, and why it holds nothing.
    pub(crate) fn place(&self) -> String {
        let path = self.path.value.as_ref().map_or_else(|| "~/.aws".to_owned(), |path| path.display().to_string());
        match &self.absent {
            Some(why) => format!("{path} ({why})"),
            None => path,
        }
    }
}

/// Rejects what cannot name a profile.
pub(crate) fn check_name(origin: &str, name: &str) -> Result<(), Error> {
    let is_name = (1..=MAX_NAME_BYTES).contains(&name.len())
        && name.trim() == name
        && !name.chars().any(|c| c.is_control() || c == '[' || c == ']');
    if is_name {
        Ok(())
    } else {
        Err(Error::argument(format!("{origin}: {} is not the name of a profile", quoted(name))))
    }
}
