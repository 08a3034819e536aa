//! Where settings are looked for that are not set in code: the environment, then the selected profile.

use zeroize::Zeroizing;

use crate::config::credentials::Credentials;
use crate::config::environment::Environment;
use crate::config::profile::Profiles;
use crate::config::setting::{Origin, Setting};
use crate::error::{Error, quoted};

/// A bad value of the caller's is an argument's mistake, one of the environment or of a file a configuration's.
pub(crate) fn checked<T, U>(
    setting: Setting<T>,
    check: impl FnOnce(&str, T) -> Result<U, Error>,
) -> Result<Setting<U>, Error> {
    let is_setter = matches!(setting.origin, Origin::Setter(_));
    setting.try_map(check).map_err(|error| if is_setter { error } else { Error::config(error.message()) })
}

/// Where settings are looked for that no setter gave.
pub(crate) struct Lookup<'a> {
    pub(crate) environment: &'a Environment<'a>,
    pub(crate) profiles: &'a Profiles,
}

impl Lookup<'_> {
    /// The first of these variables that is set, else the selected profile's key.
    pub(crate) fn find(&self, variables: &[&'static str], key: &str) -> Result<Option<Setting<String>>, Error> {
        Ok(self.environment.first(variables)?.or_else(|| self.profiles.selected(key)))
    }

    pub(crate) fn flag(
        &self,
        setter: &'static str,
        set: Option<bool>,
        variable: &'static str,
        key: &str,
    ) -> Result<Setting<bool>, Error> {
        if let Some(on) = set {
            return Ok(Setting::new(on, Origin::Setter(setter)));
        }
        match self.find(&[variable], key)? {
            None => Ok(Setting::new(false, Origin::Default)),
            Some(found) => checked(found, |field, text| match text.to_ascii_lowercase().as_str() {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(Error::config(format!("{field}: {} is neither true nor false", quoted(&text)))),
            }),
        }
    }

    /// A service's endpoint, as AWS_ENDPOINT_URL and its kin set it; `variable` and `service` name the service.
    pub(crate) fn endpoint_url(&self, variable: &'static str, service: &str) -> Result<Option<Setting<String>>, Error> {
        let (name, key) = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls");
        if self.flag(key, None, name, key)?.value {
            return Ok(None);
        }
        let found = self.environment.first(&[variable, "AWS_ENDPOINT_URL"])?;
        let found = found.or_else(|| self.profiles.endpoint_of_service(service));
        Ok(found.or_else(|| self.profiles.selected("endpoint_url")))
    }

    /// The keys of the environment, if both are there. Blanks around them are nobody's intention.
    pub(crate) fn keys(&self) -> Result<Option<Setting<Credentials>>, Error> {
        const ID: &str = "AWS_ACCESS_KEY_ID";
        const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
        let (Some(id), Some(secret)) = (self.environment.get(ID)?, self.environment.get(SECRET)?) else {
            return Ok(None);
        };
        let secret = Zeroizing::new(secret);
        // The second is what it was called once.
        let token = self.environment.first(&["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"])?;
        let token = token.map(|token| Zeroizing::new(token.value));
        let token = token.as_deref().map(|token| token.trim()).filter(|token| !token.is_empty());
        if id.trim().is_empty() || secret.trim().is_empty() {
            return Ok(None);
        }
        let keys = Credentials::new(id.trim(), secret.trim(), token, None)
            .map_err(|error| Error::config(format!("environment variables {ID} and others: {}", error.message())))?;
        Ok(Some(Setting::new(keys, Origin::Variable(ID))))
    }
}
