//! The shared files of the AWS tools and the profiles in them. Source of their syntax and lookup: the AWS SDKs and Tools
//! Reference Guide, "Shared config and credentials files"; AWS's own parser reads them.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use aws_runtime::env_config::file::{EnvConfigFileKind, EnvConfigFiles};
use aws_runtime::env_config::property::PropertiesKey;
use aws_runtime::env_config::section::EnvConfigSections;
use aws_runtime::env_config::source;
use aws_types::os_shim_internal::{Env, Fs};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

use crate::config::environment::Environment;
use crate::config::setting::{Origin, Setting};
use crate::error::{Error, quoted};

const DEFAULT: &str = "default";
/// Longer than anybody names a profile.
const MAX_NAME_BYTES: usize = 256;

/// What both files say, and which profile counts.
#[derive(Debug)]
pub(crate) struct Profiles {
    /// The selected profile.
    pub(crate) name: Setting<String>,
    pub(crate) config: File,
    pub(crate) credentials: File,
}

/// One of the files.
#[derive(Debug)]
pub(crate) struct File {
    /// Absent where no home is known.
    pub(crate) path: Setting<Option<PathBuf>>,
    sections: EnvConfigSections,
    /// Why nothing was read.
    absent: Option<String>,
}

impl Profiles {
    /// Reads both files. A missing one is as good as an empty one; a broken one is an error. `selected` is the setter's.
    pub(crate) fn read(selected: Option<&str>, environment: &Environment<'_>) -> Result<Self, Error> {
        let name = match (selected, environment.get("AWS_PROFILE")?, environment.get("AWS_DEFAULT_PROFILE")?) {
            (Some(name), ..) => Setting::new(name.to_owned(), Origin::Setter("profile")),
            (None, Some(name), _) => Setting::new(name, Origin::Variable("AWS_PROFILE")),
            (None, None, Some(name)) => Setting::new(name, Origin::Variable("AWS_DEFAULT_PROFILE")),
            (None, None, None) => Setting::new(DEFAULT.to_owned(), Origin::Default),
        };
        let profiles = Self {
            name,
            config: File::read(EnvConfigFileKind::Config, "AWS_CONFIG_FILE", "config", environment)?,
            credentials: File::read(
                EnvConfigFileKind::Credentials,
                "AWS_SHARED_CREDENTIALS_FILE",
                "credentials",
                environment,
            )?,
        };
        if selected.is_some() && !profiles.exists(&profiles.name.value) {
            return Err(Error::config(profiles.no_such(&profiles.name.value)));
        }
        Ok(profiles)
    }

    pub(crate) fn exists(&self, profile: &str) -> bool {
        [&self.config, &self.credentials].iter().any(|file| file.sections.get_profile(&encoded(profile)).is_some())
    }

    /// A key of any profile. What the credentials file says goes before what the config file says.
    pub(crate) fn get(&self, profile: &str, key: &str) -> Option<Setting<String>> {
        self.credentials.get(profile, key).or_else(|| self.config.get(profile, key))
    }

    /// A key of the selected profile.
    pub(crate) fn selected(&self, key: &str) -> Option<Setting<String>> {
        self.get(&self.name.value, key)
    }

    /// The endpoint of one service, from the section that the selected profile's `services` names.
    pub(crate) fn endpoint_of_service(&self, service: &str) -> Option<Setting<String>> {
        let section = self.selected("services")?.value;
        let key = PropertiesKey::builder()
            .section_key("services")
            .section_name(encoded(&section))
            .property_name(service)
            .sub_property_name("endpoint_url")
            .build()
            .ok()?;
        let value = self.config.sections.other_sections().get(&key)?.to_string();
        let key = format!("endpoint_url of {service} in services {section}");
        (!value.is_empty()).then(|| Setting::new(value, self.config.origin(&self.name.value, &key)))
    }

    /// A key of an `sso-session` section.
    pub(crate) fn sso_session(&self, session: &str, key: &str) -> Option<String> {
        self.config.sections.sso_session(&encoded(session))?.get(key).map(str::to_owned)
    }

    /// That a profile is in neither file, and which these are.
    pub(crate) fn no_such(&self, profile: &str) -> String {
        format!("profile {profile}: no such profile in {} or {}", self.config.place(), self.credentials.place())
    }
}

impl File {
    fn read(
        kind: EnvConfigFileKind,
        variable: &'static str,
        name: &str,
        environment: &Environment<'_>,
    ) -> Result<Self, Error> {
        let path = match (environment.path(variable), &environment.home) {
            (Some(path), _) => Setting::new(Some(path), Origin::Variable(variable)),
            (None, Some(home)) => Setting::new(Some(home.join(".aws").join(name)), Origin::Default),
            (None, None) => Setting::new(None, Origin::Default),
        };
        let absent =
            |path, why: &str| Ok(Self { path, sections: EnvConfigSections::default(), absent: Some(why.to_owned()) });
        let Some(file) = path.value.clone() else {
            return absent(path, "no home directory is known");
        };
        let text = match std::fs::read(&file).map(String::from_utf8) {
            Ok(Ok(text)) => Zeroizing::new(text),
            Ok(Err(_)) => return Err(Error::config(format!("{}: is not UTF-8", file.display()))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return absent(path, "no such file"),
            Err(error) => return absent(path, &error.to_string()),
        };
        let files = EnvConfigFiles::builder().with_contents(kind, in_parsers_form(&text, kind).as_str()).build();
        // The parser asks the environment only for what was decided here.
        let parsed = at_once(source::load(&Env::from_slice(&[]), &Fs::real(), &files));
        let broken = |why: String| {
            // It names the line, but has no path to name.
            let why = why.strip_prefix("error parsing  ").unwrap_or(&why).split_whitespace().collect::<Vec<_>>();
            Error::config(format!("{}: {}", file.display(), why.join(" ")))
        };
        let parsed = parsed.ok_or_else(|| broken("could not be read at once".to_owned()))?;
        let sections = EnvConfigSections::parse(parsed.map_err(|error| broken(error.to_string()))?)
            .map_err(|error| broken(error.to_string()))?;
        Ok(Self { path, sections, absent: None })
    }

    /// A key of one of its profiles.
    fn get(&self, profile: &str, key: &str) -> Option<Setting<String>> {
        let value = self.sections.get_profile(&encoded(profile))?.get(key).filter(|value| !value.is_empty())?;
        Some(Setting::new(value.to_owned(), self.origin(profile, key)))
    }

    /// Whether a setting came from it.
    pub(crate) fn holds(&self, origin: &Origin) -> bool {
        matches!(origin, Origin::Profile { file, .. } if Some(file) == self.path.value.as_ref())
    }

    fn origin(&self, profile: &str, key: &str) -> Origin {
        Origin::Profile {
            profile: profile.to_owned(),
            key: key.to_owned(),
            file: self.path.value.clone().unwrap_or_default(),
        }
    }

    /// Its path, and why it holds nothing.
    pub(crate) fn place(&self) -> String {
        let path = self.path.value.as_ref().map_or_else(|| "~/.aws".to_owned(), |path| path.display().to_string());
        match &self.absent {
            Some(why) => format!("{path} ({why})"),
            None => path,
        }
    }
}

/// What the parser takes in a name; a profile with another character in its name it would drop without a word.
const NAME: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'-')
    .remove(b'/')
    .remove(b'.')
    .remove(b'%')
    .remove(b'@')
    .remove(b':')
    .remove(b'+');

fn encoded(name: &str) -> String {
    utf8_percent_encode(name, NAME).to_string()
}

/// The same lines in the form that the parser takes: `[profile "my prod"]` is a name with a space, and `key: value` is as
/// good as `key = value`, as for the AWS CLI.
fn in_parsers_form(text: &str, kind: EnvConfigFileKind) -> Zeroizing<String> {
    let header = |line: &str| -> Option<String> {
        let (inner, rest) = line.strip_prefix('[')?.split_once(']')?;
        let inner = inner.trim();
        let encoded = match (kind, inner.split_once([' ', '\t'])) {
            (EnvConfigFileKind::Config, Some((word, name))) => {
                let name = name.trim();
                let quoted = ['"', '\''].into_iter().find_map(|quote| name.strip_prefix(quote)?.strip_suffix(quote));
                // Without quotes the AWS CLI takes no name with a space either.
                match quoted {
                    None if name.contains(char::is_whitespace) => format!("{word} {name}"),
                    name_in_quotes => format!("{word} {}", encoded(name_in_quotes.unwrap_or(name))),
                }
            }
            (EnvConfigFileKind::Config, None) => inner.to_owned(),
            (_, _) => encoded(inner),
        };
        Some(format!("[{encoded}]{rest}"))
    };
    let property = |line: &str| -> Option<String> {
        // A line that begins with a blank goes on with a value.
        let at = line.find(['=', ':', '#', ';']).filter(|_| !line.starts_with([' ', '\t']))?;
        line[at..].strip_prefix(':').map(|value| format!("{}={value}", &line[..at]))
    };
    // Made at its full length: one that grew would leave copies of secrets behind.
    let mut all = Zeroizing::new(String::with_capacity(text.len() * 3 + 1));
    for line in text.lines() {
        match header(line).or_else(|| property(line)).map(Zeroizing::new) {
            Some(changed) => all.push_str(&changed),
            None => all.push_str(line),
        }
        all.push('\n');
    }
    all
}

/// The output of a future that has nothing to wait for, as the parser's, which reads files.
fn at_once<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

/// Refuses what cannot name a profile.
pub(crate) fn check_name(origin: &str, name: &str) -> Result<(), Error> {
    let is_name = (1..=MAX_NAME_BYTES).contains(&name.len())
        && name.trim() == name
        && !name.chars().any(|c| c.is_control() || c == '[' || c == ']');
    if is_name { Ok(()) } else { Err(Error::argument(format!("{origin}: {} names no profile", quoted(name)))) }
}
