//! The forms of a function name, and what each means for path, region and qualifier.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::config::region;
use crate::error::Error;

/// The service model's bound for the whole field. Its pattern has changed and will again, so names are not held to one.
const MAX_CHARACTERS: usize = 256;

/// RFC 3986's unreserved characters stay, and all others are encoded, as Signature Version 4 asks of a path segment and of
/// a query value.
pub(crate) const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A name, partial ARN or ARN, each with an optional `:qualifier`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct FunctionName<'a> {
    given: &'a str,
    /// The region of a full ARN.
    pub(crate) region: Option<&'a str>,
    /// The qualifier that is part of the name.
    pub(crate) qualifier: Option<&'a str>,
}

impl<'a> FunctionName<'a> {
    /// Parses a name. It refuses only what could not be sent, or would be sent somewhere else.
    pub(crate) fn parse(given: &'a str) -> Result<Self, Error> {
        let refuse = |why: String| Err(Error::argument(format!("function_name: {why}")));
        if given.is_empty() {
            return refuse("is not set: set a function's name, partial ARN or ARN".into());
        }
        let characters = given.chars().count();
        if characters > MAX_CHARACTERS {
            return refuse(format!("is {characters} characters long, Lambda takes at most {MAX_CHARACTERS}"));
        }
        if given.chars().any(char::is_control) {
            return refuse(format!("{given:?} contains a control character"));
        }
        // Every server and URL library takes these two for path steps, encoded or not.
        if given == "." || given == ".." {
            return refuse(format!("{given:?} is not a function name: it would change the path of the request"));
        }
        if given.starts_with("arn:") {
            return Self::parse_arn(given);
        }
        let parts: Vec<&str> = given.split(':').collect();
        // [ACCOUNT:][function:]NAME[:QUALIFIER]
        let is_account = |part: &str| part.len() == 12 && part.bytes().all(|b| b.is_ascii_digit());
        let name_at = match parts.iter().take(parts.len() - 1).position(|part| *part == "function") {
            Some(at) => at + 1,
            None => usize::from(parts.len() > 1 && is_account(parts[0])),
        };
        Ok(Self { given, region: None, qualifier: parts.get(name_at + 1).copied().filter(|part| !part.is_empty()) })
    }

    /// Parses arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME[:QUALIFIER]
    fn parse_arn(given: &'a str) -> Result<Self, Error> {
        let refuse = |why: &str| Err(Error::argument(format!("function_name: {given:?} {why}")));
        let parts: Vec<&str> = given.split(':').collect();
        let [_, partition, service, arn_region, account, kind, name, rest @ ..] = parts.as_slice() else {
            return refuse("is not the ARN of a function: expected arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME");
        };
        if *service != "lambda" || *kind != "function" || account.is_empty() || name.is_empty() {
            return refuse("is not the ARN of a function: expected arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME");
        }
        region::check("function_name", arn_region)?;
        let own = region::partition_of(arn_region).name;
        if own != *partition {
            return refuse(&format!("is not an ARN of AWS: the region {arn_region} is in the partition {own}"));
        }
        Ok(Self { given, region: Some(arn_region), qualifier: rest.first().copied().filter(|part| !part.is_empty()) })
    }

    /// Returns the name as one path segment: everything but unreserved characters is encoded, once.
    pub(crate) fn path_segment(&self) -> impl std::fmt::Display + 'a {
        utf8_percent_encode(self.given, ENCODED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn qualifiers_and_regions_are_found_in_every_form() {
        for (given, region, qualifier) in [
            ("f", None, None),
            ("f:live", None, Some("live")),
            ("f:$LATEST", None, Some("$LATEST")),
            ("123456789012:function:f", None, None),
            ("123456789012:function:f:7", None, Some("7")),
            ("function:f:7", None, Some("7")),
            ("function", None, None),
            ("123456789012:f", None, None),
            ("123456789012:f:live", None, Some("live")),
            ("123456789012", None, None),
            ("f:", None, None),
            ("arn:aws:lambda:eu-west-1:123456789012:function:f", Some("eu-west-1"), None),
            ("arn:aws-cn:lambda:cn-north-1:123456789012:function:f:live", Some("cn-north-1"), Some("live")),
        ] {
            let name = FunctionName::parse(given).unwrap();
            assert_eq!((name.region, name.qualifier), (region, qualifier), "{given}");
        }
    }

    #[test]
    fn a_name_that_cannot_be_sent_is_refused() {
        for given in [
            "",
            ".",
            "..",
            "a\r\nb",
            "a\0b",
            "arn:aws:lambda:us-east-1:123456789012",
            "arn:aws:s3:us-east-1:123456789012:function:f",
            "arn:aws:lambda:us-east-1:123456789012:layer:f",
            "arn:aws:lambda:evil.example/:123456789012:function:f",
            "arn:aws:lambda:cn-north-1:123456789012:function:f",
            "arn:aws:lambda:us-east-1::function:f",
            &"x".repeat(257),
        ] {
            let error = FunctionName::parse(given).unwrap_err();
            assert!(error.message().starts_with("function_name: "), "{error}");
        }
    }
}
