//! Which proxy a URL is reached through. hyper-util decides which hosts NO_PROXY excepts; the ports are ours.

use std::fmt;
use std::sync::Arc;

use hyper_util::client::proxy::matcher::Matcher;
use percent_encoding::percent_decode_str;
use url::Url;
use zeroize::Zeroizing;

use crate::config::environment::Environment;
use crate::config::lookup::checked;
use crate::config::setting::{Origin, Setting};
use crate::config::shown_url::shown_parsed;
use crate::error::Error;

const SCHEMES: &[&str] = &["http", "https", "socks4", "socks4a", "socks5", "socks5h"];
/// More than any proxy's URL needs.
const MAX_URL_BYTES: usize = 2_048;

/// A variable, in lower case and in upper case.
type Variable = [&'static str; 2];
const HTTP_PROXY: Variable = ["http_proxy", "HTTP_PROXY"];
const HTTPS_PROXY: Variable = ["https_proxy", "HTTPS_PROXY"];
const ALL_PROXY: Variable = ["all_proxy", "ALL_PROXY"];
const NO_PROXY: Variable = ["no_proxy", "NO_PROXY"];

/// The proxies of a client.
#[derive(Clone, Debug)]
pub(crate) struct Proxies {
    /// For http URLs.
    pub(crate) http: Setting<Option<Proxy>>,
    /// For https URLs.
    pub(crate) https: Setting<Option<Proxy>>,
    /// What is reached without a proxy.
    pub(crate) exceptions: Option<Setting<Exceptions>>,
}

/// A proxy, shown without its password.
#[derive(Clone)]
pub(crate) struct Proxy {
    /// Without user and password, except for SOCKS, whose handshake takes them from here.
    pub(crate) url: Url,
    /// `user:password` for an HTTP proxy; wiped from memory with its last clone.
    pub(crate) user_and_password: Option<Arc<Zeroizing<String>>>,
}

/// The list in NO_PROXY.
#[derive(Clone)]
pub(crate) struct Exceptions {
    pub(crate) list: String,
    /// `*` is an entry. The matcher takes it for every name, but for no address.
    are_all: bool,
    /// Each port with the hosts that are excepted there; the first is every port.
    hosts: Arc<[(Option<u16>, Matcher)]>,
}

impl Proxies {
    /// Returns no proxies: for what must not pass one, and for tests.
    pub(crate) fn none() -> Self {
        let none = || Setting::new(None, Origin::Default);
        Self { http: none(), https: none(), exceptions: None }
    }

    /// Takes the setter's proxy, which has no exceptions and is none if it is empty; else those of the environment.
    pub(crate) fn resolve(set: Option<&str>, environment: &Environment<'_>) -> Result<Self, Error> {
        if let Some(url) = set {
            let proxy = if url.is_empty() { None } else { Some(Proxy::parse("proxy", url)?) };
            let proxy = Setting::new(proxy, Origin::Setter("proxy"));
            return Ok(Self { http: proxy.clone(), https: proxy, exceptions: None });
        }
        // A web server passes the header Proxy of its client on to a CGI program as HTTP_PROXY.
        let is_cgi = environment.is_set("REQUEST_METHOD");
        let http = if is_cgi { &HTTP_PROXY[..1] } else { &HTTP_PROXY };
        let exceptions = variable(&NO_PROXY, environment)?;
        Ok(Self {
            http: Self::of_variables(http, environment)?,
            https: Self::of_variables(&HTTPS_PROXY, environment)?,
            exceptions: exceptions
                .filter(|list| !list.value.is_empty())
                .map(|list| Setting { value: Exceptions::parse(list.value), origin: list.origin }),
        })
    }

    /// Takes the scheme's own variable, else ALL_PROXY.
    fn of_variables(names: &[&'static str], environment: &Environment<'_>) -> Result<Setting<Option<Proxy>>, Error> {
        let mut none = Setting::new(None, Origin::Default);
        for names in [names, &ALL_PROXY] {
            match variable(names, environment)? {
                Some(found) if found.value.is_empty() => none.origin = found.origin,
                Some(found) => {
                    return checked(found, |name, url| Proxy::parse(name, &Zeroizing::new(url)).map(Some));
                }
                None => {}
            }
        }
        Ok(none)
    }

    /// Returns the proxy that `url` is reached through.
    pub(crate) fn of(&self, url: &Url) -> Option<&Proxy> {
        let proxy = if url.scheme() == "https" { &self.https } else { &self.http };
        let proxy = proxy.value.as_ref()?;
        let is_excepted = self.exceptions.as_ref().is_some_and(|exceptions| exceptions.value.contain(url));
        (!is_excepted).then_some(proxy)
    }
}

/// Returns a variable, the one in lower case first. That one may be empty, and then means none, as in curl and Python:
/// the one in upper case is not looked at.
fn variable(names: &[&'static str], environment: &Environment<'_>) -> Result<Option<Setting<String>>, Error> {
    match names.first() {
        Some(lower) if environment.is_set(lower) && environment.get(lower)?.is_none() => {
            Ok(Some(Setting::new(String::new(), Origin::Variable(lower))))
        }
        _ => environment.first(names),
    }
}

impl Exceptions {
    /// Reads hosts, domains, addresses and networks, separated by commas. `HOST:PORT` excepts one port only, as in Python
    /// and Go; an IPv6 address with a port stands in brackets.
    fn parse(list: String) -> Self {
        let mut hosts: Vec<(Option<u16>, Vec<&str>)> = vec![(None, Vec::new())];
        for entry in list.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (host, port) = match entry.rsplit_once(':') {
                Some((host, port)) if !host.contains(':') || host.ends_with(']') => match port.parse() {
                    Ok(port) => (host, Some(port)),
                    Err(_) => (entry, None),
                },
                _ => (entry, None),
            };
            // `.example.com` and `example.com` are the same to the matcher, but not before an address.
            let host = host.trim_start_matches('.');
            let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            match hosts.iter_mut().find(|(known, _)| *known == port) {
                Some((_, hosts)) => hosts.push(host),
                None => hosts.push((port, vec![host])),
            }
        }
        // The matcher tells which URLs have a proxy, so it needs one.
        let matcher = |hosts: Vec<&str>| Matcher::builder().all("http://proxy").no(hosts.join(",")).build();
        let hosts = hosts.into_iter().map(|(port, hosts)| (port, matcher(hosts))).collect();
        let are_all = list.split(',').any(|entry| entry.trim() == "*");
        Self { list, are_all, hosts }
    }

    fn contain(&self, url: &Url) -> bool {
        if self.are_all {
            return true;
        }
        let Ok(uri) = url.as_str().parse() else { return false };
        let is_port = |port: Option<u16>| port.is_none() || port == url.port_or_known_default();
        self.hosts.iter().any(|(port, hosts)| is_port(*port) && hosts.intercept(&uri).is_none())
    }
}

impl fmt::Debug for Exceptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.list, f)
    }
}

impl Proxy {
    /// Reads a URL, or `host:port`, which is one of http. Messages never repeat it: it may contain a password.
    fn parse(origin: &str, text: &str) -> Result<Self, Error> {
        let refuse = |why: &str| {
            Err(Error::argument(format!(
                "{origin}: {why}; expected http://[user:password@]host:port, or https, socks5"
            )))
        };
        if text.len() > MAX_URL_BYTES {
            return refuse(&format!("is {} bytes long", text.len()));
        }
        let (without_user, user_and_password) = apart(text);
        match Url::parse(&without_user) {
            Err(error) => refuse(&format!("is not a valid URL ({error})")),
            Ok(url) if !SCHEMES.contains(&url.scheme()) => refuse("does not have the scheme of a proxy"),
            Ok(url) if url.host_str().is_none_or(str::is_empty) => refuse("does not name a host"),
            Ok(url) => Ok(Self { url, user_and_password }),
        }
    }

    /// Whether a user is set.
    pub(crate) fn has_user(&self) -> bool {
        self.user_and_password.is_some() || !self.url.username().is_empty()
    }

    /// Returns its host and port, for messages.
    pub(crate) fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        match self.url.port_or_known_default() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }
}

/// Takes user and password out of the URL of an HTTP proxy, so that no copy of them is made in passing.
fn apart(text: &str) -> (Zeroizing<String>, Option<Arc<Zeroizing<String>>>) {
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let whole = || (Zeroizing::new(format!("{scheme}://{rest}")), None);
    if !scheme.to_ascii_lowercase().starts_with("http") {
        return whole();
    }
    let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
    let Some((user, host)) = rest.get(..end).and_then(|authority| authority.rsplit_once('@')) else { return whole() };
    let (user, password) = user.split_once(':').unwrap_or((user, ""));
    let decoded = |text: &str| Zeroizing::new(percent_decode_str(text).decode_utf8_lossy().into_owned());
    let (user, password) = (decoded(user), decoded(password));
    let mut both = Zeroizing::new(String::with_capacity(user.len() + password.len() + 1));
    both.push_str(&user);
    both.push(':');
    both.push_str(&password);
    (Zeroizing::new(format!("{scheme}://{host}{}", &rest[end..])), Some(Arc::new(both)))
}

/// Rejects what is not the URL of a proxy; an empty one means no proxy.
pub(crate) fn check(origin: &str, url: &str) -> Result<(), Error> {
    if url.is_empty() { Ok(()) } else { Proxy::parse(origin, url).map(drop) }
}

/// Without user and password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = shown_parsed(&self.url);
        match self.user_and_password {
            Some(_) => f.write_str(&shown.replacen("://", "://(redacted)@", 1)),
            None => f.write_str(&shown),
        }
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
        Proxies::resolve(
            set,
            &Environment { variable: &variable, home: None, home_of: &|_| None, out_of_descriptors: |_| None },
        )
    }

    fn way(proxies: &Proxies, url: &str) -> Option<String> {
        proxies.of(&url.parse().unwrap()).map(Proxy::host)
    }

    #[test]
    fn each_scheme_has_its_proxy_and_lower_case_goes_first() {
        let env = [("https_proxy", "small:1"), ("HTTPS_PROXY", "http://LARGE:2"), ("ALL_PROXY", "socks5://all:3")];
        let proxies = resolve(None, &env).unwrap();
        assert_eq!(way(&proxies, "https://lambda.example/x").as_deref(), Some("small:1"));
        assert_eq!(way(&proxies, "http://lambda.example/x").as_deref(), Some("all:3"));
        assert_eq!(way(&resolve(Some(""), &env).unwrap(), "https://lambda.example/"), None);
        assert_eq!(way(&resolve(Some("mine:8"), &env).unwrap(), "https://h/").as_deref(), Some("mine:8"));
    }

    #[test]
    fn a_star_excepts_names_and_addresses() {
        for list in ["*", "*,x", "x, *"] {
            let proxies = resolve(None, &[("HTTP_PROXY", "p:1"), ("NO_PROXY", list)]).unwrap();
            for url in ["http://h/", "http://127.0.0.1:8/", "http://[::1]/"] {
                assert_eq!(way(&proxies, url), None, "{list} {url}");
            }
        }
    }

    #[test]
    fn user_and_password_are_taken_out_of_the_url_of_an_http_proxy() {
        for (text, url, user) in [
            ("http://u:p%40ss@h:1/", "http://h:1/", Some("u:p@ss")),
            ("https://u@h:1", "https://h:1/", Some("u:")),
            ("u:a@b@h:1", "http://h:1/", Some("u:a@b")),
            ("HTTP://:p@[::1]:8", "http://[::1]:8/", Some(":p")),
            ("http://h/@", "http://h/@", None),
            ("socks5://u:p@h:1", "socks5://u:p@h:1", None),
        ] {
            let proxy = Proxy::parse("proxy", text).unwrap();
            let found = proxy.user_and_password.as_ref().map(|user| user.as_str());
            assert_eq!((proxy.url.as_str(), found), (url, user), "{text}");
            assert_eq!(proxy.to_string().contains("(redacted)@"), proxy.has_user(), "{text}");
        }
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

    /// As in Python and Go.
    #[test]
    fn an_exception_may_hold_for_one_port() {
        for (exception, url, is_excepted) in [
            ("localhost:4566", "http://localhost:4566/", true),
            ("localhost:4566", "http://localhost:4567/", false),
            ("localhost:4566", "http://a.localhost:4566/", true),
            (".localhost:4566", "http://a.localhost:4566/", true),
            ("127.0.0.1:4566", "http://127.0.0.1:4566/", true),
            (".127.0.0.1:4566", "http://127.0.0.1:4566/", true),
            ("127.0.0.1:4566", "http://127.0.0.1/", false),
            ("127.0.0.0/8:4566", "http://127.0.0.1:4566/", true),
            ("[::1]:4566", "http://[::1]:4566/", true),
            ("[::1]:4566", "http://[::1]:4567/", false),
            ("[::1]", "http://[::1]:4567/", true),
            ("::1", "http://[::1]:4567/", true),
            ("fd00::/8", "http://[fd00::1]:4567/", true),
            ("h:80", "http://h/", true),
            ("h:443", "http://h/", false),
            ("*:4566", "http://h:4566/", true),
            ("h:4566, other", "http://other/", true),
            ("h:port", "http://h/", false),
            ("h:", "http://h/", false),
        ] {
            let proxies = resolve(None, &[("HTTP_PROXY", "p:1"), ("NO_PROXY", exception)]).unwrap();
            assert_eq!(way(&proxies, url).is_none(), is_excepted, "{exception} {url}");
        }
    }

    /// As in curl and Python; ALL_PROXY is another variable, as in curl.
    #[test]
    fn an_empty_variable_in_lower_case_means_none() {
        let upper = [("HTTP_PROXY", "p:1"), ("HTTPS_PROXY", "p:2"), ("ALL_PROXY", "p:3"), ("NO_PROXY", "*")];
        for (empty, http, https) in [
            (&["http_proxy", "no_proxy"][..], Some("p:3"), Some("p:2")),
            (&["https_proxy", "no_proxy"], Some("p:1"), Some("p:3")),
            (&["all_proxy", "no_proxy"], Some("p:1"), Some("p:2")),
            (&["http_proxy", "https_proxy", "all_proxy", "no_proxy"], None, None),
            (&["http_proxy"], None, None),
        ] {
            for blank in ["", " "] {
                let variables: Vec<_> = upper.into_iter().chain(empty.iter().map(|name| (*name, blank))).collect();
                let proxies = resolve(None, &variables).unwrap();
                assert_eq!(way(&proxies, "http://h/").as_deref(), http, "{empty:?}");
                assert_eq!(way(&proxies, "https://h/").as_deref(), https, "{empty:?}");
            }
        }
        let proxies = resolve(None, &[("http_proxy", ""), ("HTTP_PROXY", "p:1")]).unwrap();
        assert_eq!(proxies.http.origin, Origin::Variable("http_proxy"));
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
