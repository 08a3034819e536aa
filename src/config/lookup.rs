//! Looks settings up that are not set in code: in the environment, then in the selected profile.

use zeroize::Zeroizing;

use crate::config::credentials::Credentials;
use crate::config::environment::Environment;
use crate::config::profile::Profiles;
use crate::config::setting::{Origin, Setting};
use crate::error::{Error, quoted};

/// Checks a value. The error's status is E_INVALID_ARGUMENT if the value was set in code, else E_CONFIG.
pub(crate) fn checked<T, U>(
    setting: Setting<T>,
    check: impl FnOnce(&str, T) -> Result<U, Error>,
) -> Result<Setting<U>, Error> {
    let is_setter = matches!(setting.origin, Origin::Setter(_));
    setting.try_map(check).map_err(|error| if is_setter { error } else { Error::config(error.message()) })
}

/// The environment and the profiles.
pub(crate) struct Lookup<'a> {
    pub(crate) environment: &'a Environment<'a>,
    pub(crate) profiles: &'a Profiles,
}

impl Lookup<'_> {
    /// Returns the first of these variables that is set, else the selected profile's property.
    pub(crate) fn find(&self, variables: &[&'static str], property: &str) -> Result<Option<Setting<String>>, Error> {
        Ok(self.environment.first(variables)?.or_else(|| self.profiles.selected(property)))
    }

    /// Returns a setting that is true or false, and false by default.
    pub(crate) fn flag(
        &self,
        setter: &'static str,
        set: Option<bool>,
        variable: &'static str,
        property: &str,
    ) -> Result<Setting<bool>, Error> {
        if let Some(on) = set {
            return Ok(Setting::new(on, Origin::Setter(setter)));
        }
        match self.find(&[variable], property)? {
            None => Ok(Setting::default(false)),
            Some(found) => checked(found, |field, text| match text.to_ascii_lowercase().as_str() {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(Error::config(format!("{field}: {} is neither true nor false", quoted(&text)))),
            }),
        }
    }

    /// Returns the custom endpoint of a service; `variable` and `service` name the service.
    pub(crate) fn endpoint_url(&self, variable: &'static str, service: &str) -> Result<Option<Setting<String>>, Error> {
        let (name, property) = ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls");
        if self.flag(property, None, name, property)?.value {
            return Ok(None);
        }
        if let Some(found) = self.environment.first(&[variable, "AWS_ENDPOINT_URL"])? {
            return Ok(Some(found));
        }
        let found = self.profiles.endpoint_of_service(service)?;
        Ok(found.or_else(|| self.profiles.selected("endpoint_url")))
    }

    /// Returns the credentials of the environment, if id and secret are both set.
    pub(crate) fn keys(&self) -> Result<Option<Setting<Credentials>>, Error> {
        const ID: &str = "AWS_ACCESS_KEY_ID";
        const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
        let secret = self.environment.get(SECRET)?.map(Zeroizing::new);
        let (Some(id), Some(secret)) = (self.environment.get(ID)?, secret) else { return Ok(None) };
        // The second is its older name.
        let token = self.environment.first(&["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN"])?;
        let token = token.map(|token| Zeroizing::new(token.value));
        let credentials = Credentials::new(&id, &secret, token.as_deref().map(String::as_str), None)
            .map_err(|error| Error::config(format!("environment variables {ID} and others: {}", error.message())))?;
        Ok(Some(Setting::new(credentials, Origin::Variable(ID))))
    }
}
