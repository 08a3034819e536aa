//! Which proxy stands between here and a URL. What NO_PROXY excepts is decided by hyper-util, which reqwest asks too.

use std::fmt;

use hyper_util::client::proxy::matcher::Matcher;
use url::Url;

use crate::config::environment::Environment;
use crate::config::lookup::checked;
use crate::config::setting::{Origin, Setting};
use crate::error::Error;

const SCHEMES: &[&str] = &["http", "https", "socks4", "socks4a", "socks5", "socks5h"];
/// More than any proxy's URL needs.
const MAX_URL_BYTES: usize = 2_048;

/// The proxies of a client.
#[derive(Clone, Debug)]
pub(crate) struct Proxies {
    /// For http URLs.
    pub(crate) http: Setting<Option<Proxy>>,
    /// For https URLs.
    pub(crate) https: Setting<Option<Proxy>>,
    /// Hosts that are reached without.
    pub(crate) exceptions: Option<Setting<String>>,
}

/// One proxy. Its URL may hold a password, so only the rest is shown.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) url: Url,
}

impl Proxies {
    /// None for anything: for what must not pass one, and for tests.
    pub(crate) fn none() -> Self {
        let none = || Setting::new(None, Origin::Default);
        Self { http: none(), https: none(), exceptions: None }
    }

    /// The setter's goes before the environment's and has no exceptions; an empty one means none.
    pub(crate) fn resolve(set: Option<&str>, environment: &Environment<'_>) -> Result<Self, Error> {
        if let Some(url) = set {
            let proxy = if url.is_empty() { None } else { Some(Proxy::parse("proxy", url)?) };
            let proxy = Setting::new(proxy, Origin::Setter("proxy"));
            return Ok(Self { http: proxy.clone(), https: proxy, exceptions: None });
        }
        let first = |names: &[&'static str]| -> Result<Setting<Option<Proxy>>, Error> {
            match environment.first(names)? {
                Some(found) => checked(found, |name, url| Proxy::parse(name, &url).map(Some)),
                None => Ok(Setting::new(None, Origin::Default)),
            }
        };
        // A web server passes the header Proxy of its client on to a CGI program as HTTP_PROXY.
        let http: &[_] = match environment.get("REQUEST_METHOD")? {
            Some(_) => &["http_proxy", "all_proxy", "ALL_PROXY"],
            None => &["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
        };
        Ok(Self {
            http: first(http)?,
            https: first(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])?,
            exceptions: environment.first(&["no_proxy", "NO_PROXY"])?,
        })
    }

    /// The one between here and `url`.
    pub(crate) fn of(&self, url: &str) -> Option<&Setting<Option<Proxy>>> {
        let candidate = if url.starts_with("https:") { &self.https } else { &self.http };
        candidate.value.as_ref()?;
        let all = Matcher::builder().all("http://proxy").no(self.exceptions().unwrap_or_default()).build();
        all.intercept(&url.parse().ok()?).map(|_| candidate)
    }

    pub(crate) fn exceptions(&self) -> Option<&str> {
        self.exceptions.as_ref().map(|list| list.value.as_str())
    }
}

impl Proxy {
    /// A URL, or `host:port`, which is one of http. Messages never repeat it: a password may stand in it.
    fn parse(origin: &str, text: &str) -> Result<Self, Error> {
        let refuse = |why: &str| {
            Err(Error::argument(format!(
                "{origin}: {why}; expected http://[user:password@]host:port, or https, socks5"
            )))
        };
        if text.len() > MAX_URL_BYTES {
            return refuse(&format!("is {} bytes long", text.len()));
        }
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        match Url::parse(&with_scheme) {
            Err(error) => refuse(&format!("is no URL ({error})")),
            Ok(url) if !SCHEMES.contains(&url.scheme()) => refuse("is of no kind that proxies have"),
            Ok(url) if url.host_str().is_none_or(str::is_empty) => refuse("names no host"),
            Ok(url) => Ok(Self { url }),
        }
    }

    /// Its host and port, for messages.
    pub(crate) fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }
}

/// Refuses what is no proxy's URL; an empty one means none.
pub(crate) fn check(origin: &str, url: &str) -> Result<(), Error> {
    if url.is_empty() { Ok(()) } else { Proxy::parse(origin, url).map(drop) }
}

/// Without user and password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with_user = !self.url.username().is_empty() || self.url.password().is_some();
        write!(f, "{}://{}{}", self.url.scheme(), if with_user { "(redacted)@" } else { "" }, self.host())
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(set: Option<&str>, variables: &[(&str, &str)]) -> Result<Proxies, Error> {
        let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into());
        Proxies::resolve(set, &Environment { variable: &variable, home: None })
    }

    fn way(proxies: &Proxies, url: &str) -> Option<String> {
        proxies.of(url).and_then(|proxy| proxy.value.as_ref()).map(Proxy::host)
    }

    #[test]
    fn each_scheme_has_its_proxy_and_small_letters_go_first() {
        let env = [("https_proxy", "small:1"), ("HTTPS_PROXY", "http://LARGE:2"), ("ALL_PROXY", "socks5://all:3")];
        let proxies = resolve(None, &env).unwrap();
        assert_eq!(way(&proxies, "https://lambda.example/x").as_deref(), Some("small:1"));
        assert_eq!(way(&proxies, "http://lambda.example/x").as_deref(), Some("all:3"));
        assert_eq!(way(&resolve(Some(""), &env).unwrap(), "https://lambda.example/"), None);
        assert_eq!(way(&resolve(Some("mine:8"), &env).unwrap(), "https://h/").as_deref(), Some("mine:8"));
    }

    #[test]
    fn exceptions_are_names_with_their_subdomains_and_addresses() {
        let env = [("HTTP_PROXY", "p:1"), ("NO_PROXY", "localhost, example.com,127.0.0.0/8,::1")];
        let proxies = resolve(None, &env).unwrap();
        for url in ["http://localhost:4566/", "http://a.example.com/", "http://127.0.0.9:1/", "http://[::1]/"] {
            assert_eq!(way(&proxies, url), None, "{url}");
        }
        assert_eq!(way(&proxies, "http://notexample.com/").as_deref(), Some("p:1"));
        let all = resolve(None, &[("HTTP_PROXY", "p:1"), ("no_proxy", "*")]).unwrap();
        assert_eq!(way(&all, "http://anything/"), None);
        assert_eq!(way(&resolve(Some("p:1"), &env).unwrap(), "http://localhost/").as_deref(), Some("p:1"));
    }

    #[test]
    fn a_cgi_programs_client_does_not_choose_its_proxy() {
        let env = [("HTTP_PROXY", "evil:1"), ("REQUEST_METHOD", "GET")];
        assert_eq!(way(&resolve(None, &env).unwrap(), "http://h/"), None);
    }

    #[test]
    fn a_password_is_never_shown() {
        let proxies = resolve(None, &[("HTTPS_PROXY", "http://u:hunter2@proxy:3128")]).unwrap();
        let shown = format!("{proxies:?} {}", proxies.https.value.as_ref().unwrap());
        assert!(shown.contains("proxy:3128") && !shown.contains("hunter2"), "{shown}");
        for url in ["ftp://u:hunter2@h", "http://", "http://u:hunter2@h:port"] {
            let error = resolve(None, &[("HTTPS_PROXY", url)]).unwrap_err();
            assert!(error.message().starts_with("HTTPS_PROXY: ") && !error.message().contains("hunter2"), "{error}");
            assert!(check("proxy", url).unwrap_err().message().starts_with("proxy: "));
        }
    }
}
