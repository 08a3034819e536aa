//! Shared AWS files: their syntax, and the settings and credentials of their profiles.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::{assert_shown, parts};
use crate::config::config::Config;
use crate::config::describe::describe;
use crate::config::environment::Environment;
use crate::config::lookup::Lookup;
use crate::config::profile::Profiles;
use crate::config::settings::{Settings, Surroundings};
use crate::config::shared_file::{Kind, SectionName, SharedFile, nested};
use crate::credentials::source::Source;
use crate::error::Error;

const PROPERTIES: [&str; 5] = ["region", "endpoint_url", "services", "lambda", "aws_access_key_id"];

/// What a file holds for somebody who asks.
fn read(text: &[u8], kind: Kind) -> Result<Vec<Option<String>>, usize> {
    let file = SharedFile::parse(Zeroizing::new(text.to_vec()), kind).map_err(|fault| fault.line)?;
    let name = || "a".to_owned();
    let mut found = Vec::new();
    for section in [SectionName::Profile("default".into()), SectionName::Profile(name()), SectionName::Services(name())]
    {
        assert!(file.contains(&section) || file.is_empty(&section));
        found.push(file.faulty_line(&section).map(|line| line.to_string()));
        found.push(file.swallowing(&section).map(str::to_owned));
        for property in PROPERTIES {
            let value = file.get(&section, property);
            assert!(!file.has(&section, property) || value.is_some());
            let lines = value.as_deref().unwrap_or_default();
            assert!(!lines.contains('\r'), "{lines:?} has a line break that was not removed");
            if let Ok(Some(nested)) = nested(lines, "endpoint_url") {
                assert!(lines.contains(nested));
            }
            found.push(value);
        }
    }
    Ok(found)
}

/// A shared file, read as either of the two.
pub(super) fn shared_file(data: &[u8]) {
    for kind in [Kind::Config, Kind::Credentials] {
        let found = read(data, kind);
        if let Err(line) = found {
            assert!((1..=data.len()).contains(&line), "{line} is not a line");
            continue;
        }
        // Another section does not change those before it, nor does the way that lines end.
        let with = |more: &[u8]| read(&[data, more].concat(), kind);
        assert_eq!(with(b"\n[profile of-nobody]\nregion = x\nnonsense\n"), found, "another section was added");
        if let Some(unix) = std::str::from_utf8(data).ok().filter(|text| !text.contains('\r')) {
            for end in ["\r\n", "\r"] {
                assert_eq!(read(unix.replace('\n', end).as_bytes(), kind), found, "the lines end in {end:?}");
            }
        }
    }
}

/// A config file and, behind a line of two dashes, a credentials file: the settings and the source of credentials of the
/// profile `a`.
pub(super) fn settings(data: &[u8]) {
    /// No line of a file but that of a property that holds a secret has it.
    const SECRET: &str = "hunter2/hunter2+hunter2";
    let [config, credentials] = parts(data);
    let is_kept_secret = |file: &[u8]| {
        let text = String::from_utf8_lossy(file);
        text.match_indices(SECRET).all(|(at, _)| {
            let line = text[..at].rsplit(['\n', '\r']).next().unwrap_or_default();
            ["aws_secret_access_key=", "aws_session_token="].contains(&line.replace(' ', "").as_str())
        })
    };
    let secrets_are_marked = is_kept_secret(config) && is_kept_secret(credentials);
    let check = |shown: &str| {
        assert!(!(secrets_are_marked && shown.contains(SECRET)), "{shown}");
    };
    match resolve(config, credentials) {
        Ok(shown) => shown.iter().for_each(|shown| check(shown)),
        Err(error) => {
            assert_shown(error.message());
            check(error.message());
        }
    }
}

/// Returns all that is said of the settings.
fn resolve(config: &[u8], credentials: &[u8]) -> Result<Vec<String>, Error> {
    let profiles = Profiles::of("a", config, credentials)?;
    let nothing = |_: &str| -> Option<OsString> { None };
    let nobody = |_: &str| -> Option<PathBuf> { None };
    let environment = Environment { variable: &nothing, home: None, home_of: &nobody, out_of_descriptors: |_| None };
    let lookup = Lookup { environment: &environment, profiles: &profiles };
    let surroundings = Surroundings { stderr: Arc::new(|_, _, _| {}), callers_sink: |sink| sink, max_connections: 1 };
    let code = Config::default();
    let settings = Settings::resolve(&code, &lookup, surroundings)?;
    let source = Source::resolve(&code, &lookup, &settings)?;
    if let Some(region) = &settings.region {
        settings.endpoint_of(&region.value)?;
    }
    let mut shown = settings.warnings.clone();
    shown.extend([describe(&settings, &source.summary(), false), source.to_string()]);
    Ok(shown)
}
