//! Where a client's credentials come from: code, a callback, or the search of the AWS tools.

use std::fmt;
use std::sync::Arc;

use crate::config::config::Config;
use crate::config::credentials::{Callback, Credentials};
use crate::config::lookup::Lookup;
use crate::config::setting::{Origin, Setting};
use crate::config::settings::Settings;
use crate::credentials::chain::Chain;
use crate::credentials::loaded::Inheritance;
use crate::credentials::timestamp;
use crate::error::Error;

/// When the environment's credentials expire.
const EXPIRATION: &str = "AWS_CREDENTIAL_EXPIRATION";

/// The source of a client, in every process.
pub(crate) struct Source {
    pub(crate) kind: SourceKind,
    /// What has been loaded from it, for forked processes.
    pub(crate) inheritance: Arc<Inheritance>,
}

#[derive(Debug)]
pub(crate) enum SourceKind {
    /// They are known, and never change.
    Static(Setting<Credentials>),
    Callback(Callback),
    Chain(Box<Chain>),
}

/// Describes the source in short and without secrets.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            SourceKind::Static(credentials) => write!(f, "access key {}", credentials.value.access_key_id()),
            SourceKind::Callback(_) => f.write_str("callback"),
            SourceKind::Chain(chain) => f.write_str(&chain.summary().value),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl Source {
    /// Decides from what is set. Nothing is asked before a call needs credentials.
    pub(crate) fn resolve(config: &Config, lookup: &Lookup<'_>, settings: &Settings) -> Result<Self, Error> {
        let kind = match (&config.credentials, &config.callback) {
            (Some(set), _) => SourceKind::Static(Setting::new(set.clone(), Origin::Setter("credentials"))),
            (None, Some(callback)) => SourceKind::Callback(callback.clone()),
            (None, None) => Self::search(config, lookup, settings)?,
        };
        Ok(Self { kind, inheritance: Arc::default() })
    }

    fn search(config: &Config, lookup: &Lookup<'_>, settings: &Settings) -> Result<SourceKind, Error> {
        let in_environment = match &config.profile {
            None => in_environment(lookup)?,
            // They matter only to a profile that names them.
            Some(_) => in_environment(lookup).unwrap_or_default(),
        };
        match in_environment {
            Some(found) if config.profile.is_none() => Ok(SourceKind::Static(found)),
            found => {
                let region = settings.region.as_ref().map(|region| region.value.clone());
                let found = found.map(|found| found.value);
                Ok(SourceKind::Chain(Box::new(Chain::resolve(lookup, found, region, settings.variant())?)))
            }
        }
    }

    /// Returns what is asked first and what decided that, without secrets; for `describe`.
    pub(crate) fn summary(&self) -> Setting<String> {
        let origin = match &self.kind {
            SourceKind::Static(credentials) => credentials.origin.clone(),
            SourceKind::Callback(_) => Origin::Setter("credentials_callback"),
            SourceKind::Chain(chain) => chain.summary().origin,
        };
        Setting::new(self.to_string(), origin)
    }

    /// Whether another load may give other credentials.
    pub(crate) fn can_change(&self) -> bool {
        !matches!(self.kind, SourceKind::Static(_))
    }

    /// Whether a load may need TLS.
    pub(crate) fn speaks_tls(&self) -> bool {
        matches!(self.kind, SourceKind::Chain(_))
    }
}

/// The credentials of the environment, and until when they are good.
fn in_environment(lookup: &Lookup<'_>) -> Result<Option<Setting<Credentials>>, Error> {
    let Some(found) = lookup.keys()? else { return Ok(None) };
    let Some(text) = lookup.environment.get(EXPIRATION)? else { return Ok(Some(found)) };
    let expires = timestamp::parse(&text).ok_or_else(|| {
        Error::config(format!("{EXPIRATION}: is not a date in ISO 8601, such as 2026-01-02T03:04:05Z"))
    })?;
    Ok(Some(Setting::new(found.value.expiring(expires), found.origin)))
}
