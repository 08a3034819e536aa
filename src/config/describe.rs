//! The resolved settings as JSON, for support and for tests.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::config::config::RetryMode;
use crate::config::setting::{Origin, Setting};
use crate::config::settings::Settings;
use crate::config::tls::Trust;

/// Returns a JSON object with one member for each setting, by the name of its setter if it has one. Each is an object with
/// `value` and `source`. Secrets are never shown.
pub(crate) fn describe(settings: &Settings, credentials: &Setting<String>, trusts_built_in: bool) -> String {
    let mut all = Map::new();
    let mut add = |name: &str, value: Value, origin: &dyn std::fmt::Display| {
        all.insert(name.to_owned(), json!({ "value": value, "source": origin.to_string() }));
    };
    match &settings.region {
        Some(region) => add("region", json!(region.value), &region.origin),
        None => add("region", Value::Null, &Origin::Default),
    }
    // What a call that names no other region would use.
    let url = settings.region.as_ref().and_then(|region| Some(settings.endpoint_of(&region.value).ok()?.shown()));
    match (&settings.endpoint, url) {
        (Some(endpoint), _) => add("endpoint_url", json!(endpoint.value.shown()), &endpoint.origin),
        (None, url) => add("endpoint_url", json!(url), &Origin::Default),
    }
    add("use_fips", json!(settings.use_fips.value), &settings.use_fips.origin);
    add("use_dual_stack", json!(settings.use_dual_stack.value), &settings.use_dual_stack.origin);
    add("profile", json!(settings.profile.value), &settings.profile.origin);
    for (name, file) in &settings.files {
        add(name, json!(file.value), &file.origin);
    }
    add("credentials", json!(credentials.value), &credentials.origin);
    let retry = match settings.retry.value {
        RetryMode::Safe => "safe",
        RetryMode::None => "none",
        RetryMode::Always => "always",
    };
    add("retry", json!(retry), &settings.retry.origin);
    add("max_attempts", json!(settings.max_attempts.value), &settings.max_attempts.origin);
    timeouts(settings, &mut add);
    add("max_connections", json!(settings.max_connections.value), &settings.max_connections.origin);
    add("max_response_bytes", json!(settings.max_response_bytes.value), &settings.max_response_bytes.origin);
    match &settings.trust.value {
        Trust::File(path) => add("ca_bundle", json!(path.display().to_string()), &settings.trust.origin),
        Trust::System if trusts_built_in => {
            add("ca_bundle", json!("Mozilla's roots"), &"compiled in: no trust store was found")
        }
        Trust::System => add("ca_bundle", json!("the system's trust store"), &settings.trust.origin),
    }
    let is_https = settings.endpoint.as_ref().is_none_or(|endpoint| endpoint.value.is_https());
    let proxy = if is_https { &settings.proxies.https } else { &settings.proxies.http };
    add("proxy", json!(proxy.value.as_ref().map(ToString::to_string)), &proxy.origin);
    match &settings.proxies.exceptions {
        Some(list) => add("no_proxy", json!(list.value.list), &list.origin),
        None => add("no_proxy", Value::Null, &Origin::Default),
    }
    match &settings.app_id {
        Some(id) => add("app_id", json!(id.value), &id.origin),
        None => add("app_id", Value::Null, &Origin::Default),
    }
    add("user_agent", json!(settings.user_agent), &Origin::Default);
    let logging = &settings.logging;
    let level = logging.level.value.map_or("off", crate::log::LogLevel::as_str).to_ascii_lowercase();
    let ignored = logging.ignored.as_ref().map(|why| format!("; {why}")).unwrap_or_default();
    add("log", json!(level), &format!("{}{ignored}", logging.level.origin));
    Value::Object(all).to_string()
}

fn timeouts(settings: &Settings, add: &mut impl FnMut(&str, Value, &dyn std::fmt::Display)) {
    let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let connect = &settings.connect_timeout;
    add("connect_timeout_ms", json!(ms(connect.value)), &connect.origin);
    let timeout = json!(ms(settings.timeout(true)));
    match &settings.timeout {
        Some(set) => add("timeout_ms", timeout, &set.origin),
        None => {
            let without_wait = ms(settings.timeout(false));
            add("timeout_ms", timeout, &format!("{}; {without_wait} for Event and DryRun", Origin::Default));
        }
    }
}
