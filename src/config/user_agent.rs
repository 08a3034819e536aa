//! The header User-Agent and the application's name in it. Source of the form: the AWS SDKs' User-Agent specification.

use crate::config::config::Config;
use crate::config::lookup::{Lookup, checked};
use crate::config::setting::Setting;
use crate::error::{Error, quoted};

/// AWS cuts longer ones.
const MAX_APP_ID: usize = 50;

/// Takes the setter's application id, else the environment's, else the profile's.
pub(crate) fn resolve_app_id(config: &Config, lookup: &Lookup<'_>) -> Result<Option<Setting<String>>, Error> {
    match Setting::of_setter("app_id", config.app_id.clone()) {
        Some(set) => checked(set, |field, id| check_app_id(field, &id).map(|()| id)).map(Some),
        None => lookup.find(&["AWS_SDK_UA_APP_ID"], "sdk_ua_app_id"),
    }
}

/// Returns the header. `app_id` is as it came from the environment or a profile: characters that
/// the header does not allow become `-`, as in other AWS tools.
pub(crate) fn user_agent(app_id: Option<&str>) -> String {
    let this = concat!("lambda_invoke/", env!("CARGO_PKG_VERSION"));
    let system = format!("{this} os/{} md/arch#{} lang/rust", std::env::consts::OS, std::env::consts::ARCH);
    match app_id {
        Some(id) => {
            let id: String = id.chars().take(MAX_APP_ID).map(|c| if is_allowed(c) { c } else { '-' }).collect();
            format!("{system} app/{id}")
        }
        None => system,
    }
}

/// Rejects an id that would not arrive as it is.
pub(crate) fn check_app_id(origin: &str, id: &str) -> Result<(), Error> {
    if (1..=MAX_APP_ID).contains(&id.len()) && id.chars().all(is_allowed) {
        Ok(())
    } else {
        Err(Error::argument(format!(
            "{origin}: {} is not an application id: expected 1 to {MAX_APP_ID} of A-Z, a-z, 0-9 and !#$%&'*+-.^_`|~",
            quoted(id)
        )))
    }
}

/// Whether HTTP allows the character in a token.
fn is_allowed(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_application_is_named_in_characters_that_a_header_takes() {
        assert!(user_agent(None).starts_with("lambda_invoke/"));
        assert!(user_agent(Some("my app/1")).ends_with(" app/my-app-1"));
        assert!(user_agent(Some(&"x".repeat(60))).ends_with(&format!(" app/{}", "x".repeat(50))));
        assert!(check_app_id("app_id", "orders.v2").is_ok());
        for id in ["", "a b", "a/b", "\u{e9}", &"x".repeat(51)] {
            assert!(check_app_id("app_id", id).unwrap_err().message().starts_with("app_id: "), "{id}");
        }
    }
}
