//! Where a client's credentials come from: code, a callback, or the search of the AWS tools.

use std::fmt;

use crate::config::config::Config;
use crate::config::credentials::{Callback, Credentials};
use crate::config::lookup::Lookup;
use crate::config::setting::{Origin, Setting};
use crate::config::settings::Settings;
use crate::credentials::chain::Chain;
use crate::error::Error;

/// Whom to ask for keys.
#[derive(Debug)]
pub(crate) enum Source {
    /// They are known, and never change.
    Static(Setting<Credentials>),
    Callback(Callback),
    Chain(Box<Chain>),
}

/// What is asked, in short and without secrets.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static(keys) => write!(f, "access key {}", keys.value.access_key_id()),
            Self::Callback(_) => f.write_str("callback"),
            Self::Chain(chain) => f.write_str(&chain.summary().value),
        }
    }
}

impl Source {
    /// Decides from what is set; nothing is asked before a call needs credentials.
    pub(crate) fn resolve(config: &Config, lookup: &Lookup<'_>, settings: &Settings) -> Result<Self, Error> {
        match (&config.credentials, &config.callback) {
            (Some(keys), _) => return Ok(Self::Static(Setting::new(keys.clone(), Origin::Setter("credentials")))),
            (None, Some(callback)) => return Ok(Self::Callback(callback.clone())),
            (None, None) => {}
        }
        let keys = match &config.profile {
            None => lookup.keys()?,
            // They matter only to a profile that names them.
            Some(_) => lookup.keys().unwrap_or_default(),
        };
        match keys {
            Some(keys) if config.profile.is_none() => Ok(Self::Static(keys)),
            keys => {
                let region = settings.region.as_ref().map(|region| region.value.clone());
                let keys = keys.map(|keys| keys.value);
                Ok(Self::Chain(Box::new(Chain::resolve(lookup, keys, region, settings.variant())?)))
            }
        }
    }

    /// What is asked first and who decided that, without secrets; for `describe`.
    pub(crate) fn summary(&self) -> Setting<String> {
        let origin = match self {
            Self::Static(keys) => keys.origin.clone(),
            Self::Callback(_) => Origin::Setter("credentials_callback"),
            Self::Chain(chain) => chain.summary().origin,
        };
        Setting::new(self.to_string(), origin)
    }

    /// Whether asking it may need TLS.
    pub(crate) fn speaks_tls(&self) -> bool {
        matches!(self, Self::Chain(_))
    }
}
