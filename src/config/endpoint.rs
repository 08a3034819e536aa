//! The address that a call goes to.

use url::Url;

use crate::config::config::Config;
use crate::config::lookup::{Lookup, checked};
use crate::config::region;
use crate::config::setting::Setting;
use crate::config::shown_url::shown_parsed;
use crate::error::Error;

/// More than any endpoint needs.
const MAX_URL_BYTES: usize = 2_048;

/// The variants of endpoints that AWS has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Variant {
    /// With FIPS 140 cryptography.
    pub(crate) fips: bool,
    /// With IPv6 addresses as well.
    pub(crate) dual_stack: bool,
}

/// Takes the setter's custom endpoint, else the environment's, else the profile's. Fails if the endpoint is to be FIPS or
/// dual-stack as well: which one a custom endpoint is, nobody but its owner knows.
pub(crate) fn resolve(
    config: &Config,
    lookup: &Lookup<'_>,
    use_fips: &Setting<bool>,
    use_dual_stack: &Setting<bool>,
) -> Result<Option<Setting<Endpoint>>, Error> {
    let url = match Setting::of_setter("endpoint_url", config.endpoint_url.clone()) {
        Some(set) => Some(set),
        None => lookup.endpoint_url("AWS_ENDPOINT_URL_LAMBDA", "lambda")?,
    };
    let Some(url) = url else { return Ok(None) };
    let endpoint = checked(url, |field, url| Endpoint::custom(field, &url))?;
    for (variant, what) in [(use_fips, "FIPS endpoints"), (use_dual_stack, "dual-stack endpoints")] {
        if variant.value {
            return Err(Error::config(format!(
                "{what} ({}) cannot be combined with a custom endpoint ({}): unset one of them",
                variant.origin.field(),
                endpoint.origin.field()
            )));
        }
    }
    Ok(Some(endpoint))
}

/// The root of the Lambda API for one region, or a custom one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// Scheme, authority and path prefix. Parsed once, not by every call.
    base: Url,
    /// The host, and the port unless it is the scheme's default: the value of the Host header.
    pub(crate) host: String,
    /// Found by AWS's rules, not given: a response from there must look like Lambda's.
    pub(crate) resolved_here: bool,
}

impl Endpoint {
    /// Returns `https://lambda[-fips].REGION.SUFFIX`. `region` has passed [`region::check`].
    pub(crate) fn of_region(region: &str, variant: Variant) -> Result<Self, Error> {
        let partition = region::partition_of(region);
        let service = if variant.fips { "lambda-fips" } else { "lambda" };
        let suffix = if variant.dual_stack { partition.dual_stack_suffix } else { partition.dns_suffix };
        let host = format!("{service}.{region}.{suffix}");
        let base = Url::parse(&format!("https://{host}"))
            .map_err(|error| Error::config(format!("region: {region:?} does not fit into a host name ({error})")))?;
        Ok(Self { base, host, resolved_here: true })
    }

    /// Reads a URL from a setter, the environment or a profile; `origin` names it in messages, which never repeat the URL
    /// itself: it may contain a password.
    pub(crate) fn custom(origin: &str, url: &str) -> Result<Self, Error> {
        let refuse =
            |why: &str| Err(Error::argument(format!("{origin}: {why}; expected http(s)://host[:port][/path]")));
        if url.len() > MAX_URL_BYTES {
            return refuse(&format!("is {} bytes long", url.len()));
        }
        // The parser would leave line breaks out.
        if url.contains(char::is_control) {
            return refuse("contains a line break or another control character");
        }
        let url = match Url::parse(url) {
            Ok(url) => url,
            Err(error) => return refuse(&format!("is not a valid URL ({error})")),
        };
        if !matches!(url.scheme(), "http" | "https") {
            return refuse("is neither http nor https");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refuse("contains a user name or a password, which Lambda has no use for");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return refuse("contains a query or a fragment");
        }
        let Some(name) = url.host_str() else { return refuse("does not name a host") };
        let host = match url.port() {
            Some(port) => format!("{name}:{port}"),
            None => name.to_owned(),
        };
        Ok(Self { base: url, host, resolved_here: false })
    }

    /// Returns the full URL of a path that begins with a slash. Path and query are percent-encoded already.
    pub(crate) fn url(&self, path: &str, query: Option<&str>) -> Url {
        let mut url = self.base.clone();
        match self.base.path().trim_end_matches('/') {
            "" => url.set_path(path),
            prefix => url.set_path(&[prefix, path].concat()),
        }
        url.set_query(query);
        url
    }

    /// Returns the URL for people.
    pub(crate) fn shown(&self) -> String {
        shown_parsed(&self.base)
    }

    pub(crate) fn is_https(&self) -> bool {
        self.base.scheme() == "https"
    }
}

/// Rejects what is not an http or https URL with a host, or contains what no endpoint has a use for. A query is allowed.
pub(crate) fn check(origin: &str, url: &str) -> Result<(), Error> {
    let without_query = url.split_once('?').map_or(url, |(before, _)| before);
    Endpoint::custom(origin, without_query).map(drop)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn custom_endpoints_keep_port_and_prefix() {
        for (given, url, host) in [
            ("http://localhost:4566", "http://localhost:4566/x", "localhost:4566"),
            ("http://localhost:80/", "http://localhost/x", "localhost"),
            ("https://HOST:443/a/b/", "https://host/a/b/x", "host"),
            ("http://[::1]:9", "http://[::1]:9/x", "[::1]:9"),
        ] {
            let endpoint = Endpoint::custom("AWS_ENDPOINT_URL", given).unwrap();
            assert_eq!((endpoint.url("/x", None).as_str(), endpoint.host.as_str()), (url, host));
            assert!(!endpoint.resolved_here);
        }
    }

    #[test]
    fn what_is_no_endpoint_is_refused_without_repeating_it() {
        for given in [
            "",
            "localhost:4566",
            "ftp://h",
            "http://",
            "http://u:hunter2@h",
            "http://h/?hunter2",
            "http://h/#hunter2",
            "http://h\n/hunter2",
            "http://h hunter2",
        ] {
            let error = Endpoint::custom("AWS_ENDPOINT_URL", given).unwrap_err();
            assert!(
                error.message().starts_with("AWS_ENDPOINT_URL: ") && !error.message().contains("hunter2"),
                "{error}"
            );
        }
    }

    #[test]
    fn endpoints_and_partitions_of_regions_are_those_of_awss_rules() {
        let vectors: Value = serde_json::from_str(include_str!("../../tests/vectors/endpoints.json")).unwrap();
        let regions = vectors["regions"].as_object().unwrap();
        assert!(regions.len() > 80);
        for (region, expected) in regions {
            region::check("region", region).unwrap();
            assert_eq!(region::partition_of(region).name, expected["partition"], "{region}");
            for (name, fips, dual_stack) in [
                ("plain", false, false),
                ("fips", true, false),
                ("dual_stack", false, true),
                ("fips_dual_stack", true, true),
            ] {
                let endpoint = Endpoint::of_region(region, Variant { fips, dual_stack }).unwrap();
                assert_eq!(endpoint.shown(), expected[name], "{region}");
                assert_eq!(endpoint.shown(), format!("https://{}", endpoint.host));
                assert!(endpoint.resolved_here);
            }
        }
    }
}
