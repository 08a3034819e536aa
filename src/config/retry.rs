//! Which attempts are retried, and how many there are.

use crate::config::config::{Config, RetryMode, default};
use crate::config::lookup::{Lookup, checked};
use crate::config::setting::{Origin, Setting};
use crate::error::{Error, quoted};

/// Takes the setter's number, else the environment's, else the profile's.
pub(crate) fn resolve_max_attempts(config: &Config, lookup: &Lookup<'_>) -> Result<Setting<u32>, Error> {
    if let Some(set) = Setting::of_setter_unless_zero("max_attempts", config.max_attempts) {
        return Ok(set);
    }
    let Some(found) = lookup.find(&["AWS_MAX_ATTEMPTS"], "max_attempts")? else {
        return Ok(Setting::default(default::MAX_ATTEMPTS));
    };
    checked(found, |field, text| {
        text.parse().ok().filter(|attempts| *attempts > 0).ok_or_else(|| {
            Error::config(format!("{field}: {} is not a number of attempts, which is 1 or more", quoted(&text)))
        })
    })
}

/// Takes the setter's mode. The modes of the environment and the profile are checked, but are all
/// [`RetryMode::Safe`] here: none of them may allow a function to run twice.
pub(crate) fn resolve_mode(config: &Config, lookup: &Lookup<'_>) -> Result<Setting<RetryMode>, Error> {
    if let Some(mode) = config.retry {
        return Ok(Setting::new(mode, Origin::Setter("retry")));
    }
    let Some(found) = lookup.find(&["AWS_RETRY_MODE"], "retry_mode")? else {
        return Ok(Setting::default(RetryMode::Safe));
    };
    checked(found, |field, mode| match mode.to_ascii_lowercase().as_str() {
        "legacy" | "standard" | "adaptive" => Ok(RetryMode::Safe),
        _ => Err(Error::config(format!(
            "{field}: {} is not a retry mode: expected legacy, standard or adaptive",
            quoted(&mode)
        ))),
    })
}
