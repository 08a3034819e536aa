//! How URLs are shown: in what `describe` returns, in messages, in the log and in `Debug` output.

use url::Url;

/// Returns a URL without what may be a secret in it: user and password, query and fragment. A text that is not a URL with
/// a host is not shown at all.
pub(crate) fn shown(url: &str) -> String {
    Url::parse(url).map_or_else(|_| NOT_SHOWN.to_owned(), |url| shown_parsed(&url))
}

const NOT_SHOWN: &str = "(not a valid URL)";

/// The same for a URL that has been parsed.
pub(crate) fn shown_parsed(url: &Url) -> String {
    let Some(host) = url.host_str() else { return NOT_SHOWN.to_owned() };
    let with_user = !url.username().is_empty() || url.password().is_some();
    let user = if with_user { "(redacted)@" } else { "" };
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{user}{host}{port}{}", url.scheme(), url.path().trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_url_holds_no_secret() {
        for (url, expected) in [
            ("http://u:hunter2@h:1/a/", "http://(redacted)@h:1/a"),
            ("http://hunter2@[::1]/", "http://(redacted)@[::1]"),
            ("http://:hunter2@h", "http://(redacted)@h"),
            ("http://h/a?hunter2#hunter2", "http://h/a"),
            ("socks5://u:hunter2@h:1080", "socks5://(redacted)@h:1080"),
            ("u:hunter2@h", "(not a valid URL)"),
            ("http://u:hunter2@h:port", "(not a valid URL)"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }
}
