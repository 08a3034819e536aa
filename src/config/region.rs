//! Regions and partitions: which region counts, what may stand in a host name, and which partition a region belongs to.

use std::borrow::Cow;

use crate::config::config::Config;
use crate::config::lookup::{Lookup, checked};
use crate::config::setting::Setting;
use crate::error::{Error, quoted};

/// The client's region.
pub(crate) struct ClientRegion {
    pub(crate) region: Setting<String>,
    /// Its name asked for FIPS endpoints: see [`normalized`].
    pub(crate) asks_for_fips: bool,
}

/// Takes the setter's region, else the environment's, else the profile's.
pub(crate) fn resolve(config: &Config, lookup: &Lookup<'_>) -> Result<Option<ClientRegion>, Error> {
    let found = match Setting::of_setter("region", config.region.clone()) {
        Some(set) => Some(set),
        None => lookup.find(&["AWS_REGION", "AWS_DEFAULT_REGION"], "region")?,
    };
    let Some(found) = found else { return Ok(None) };
    let mut asks_for_fips = false;
    let region = checked(found, |field, name| {
        check(field, &name)?;
        let (region, is_fips) = normalized(&name);
        asks_for_fips = is_fips;
        check(field, &region).map(|()| region.into_owned())
    })?;
    Ok(Some(ClientRegion { region, asks_for_fips }))
}

/// Returns the region that a pseudo region such as `fips-us-east-1` or `us-east-1-fips` stands for, and whether it is one:
/// it asks for the FIPS endpoints of that region. The rule is botocore's.
pub(crate) fn normalized(name: &str) -> (Cow<'_, str>, bool) {
    match name.contains("fips-") || name.contains("-fips") {
        true => (name.replace("fips-", "").replace("-fips", "").into(), true),
        false => (name.into(), false),
    }
}

/// A part of AWS with its own domain. Source: the partitions of AWS's endpoint rules.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Partition {
    /// Its name in an ARN.
    pub(crate) name: &'static str,
    /// The part before `-word-digits` in the names of its regions.
    region_prefixes: &'static [&'static str],
    /// The part after `lambda.REGION.` in the names of its endpoints.
    pub(crate) dns_suffix: &'static str,
    /// The same for endpoints with IPv6 addresses.
    pub(crate) dual_stack_suffix: &'static str,
}

/// A region that no pattern matches is treated as one of the first.
const PARTITIONS: &[Partition] = &[
    Partition {
        name: "aws",
        region_prefixes: &["us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx"],
        dns_suffix: "amazonaws.com",
        dual_stack_suffix: "api.aws",
    },
    Partition {
        name: "aws-cn",
        region_prefixes: &["cn"],
        dns_suffix: "amazonaws.com.cn",
        dual_stack_suffix: "api.amazonwebservices.com.cn",
    },
    Partition {
        name: "aws-us-gov",
        region_prefixes: &["us-gov"],
        dns_suffix: "amazonaws.com",
        dual_stack_suffix: "api.aws",
    },
    Partition {
        name: "aws-eusc",
        region_prefixes: &["eusc-de"],
        dns_suffix: "amazonaws.eu",
        dual_stack_suffix: "api.amazonwebservices.eu",
    },
    Partition {
        name: "aws-iso",
        region_prefixes: &["us-iso"],
        dns_suffix: "c2s.ic.gov",
        dual_stack_suffix: "api.aws.ic.gov",
    },
    Partition {
        name: "aws-iso-b",
        region_prefixes: &["us-isob"],
        dns_suffix: "sc2s.sgov.gov",
        dual_stack_suffix: "api.aws.scloud",
    },
    Partition {
        name: "aws-iso-e",
        region_prefixes: &["eu-isoe"],
        dns_suffix: "cloud.adc-e.uk",
        dual_stack_suffix: "api.cloud-aws.adc-e.uk",
    },
    Partition {
        name: "aws-iso-f",
        region_prefixes: &["us-isof"],
        dns_suffix: "csp.hci.ic.gov",
        dual_stack_suffix: "api.aws.hci.ic.gov",
    },
];

/// Returns the partition of a region: the one whose pattern `prefix-word-digits` it matches or whose `NAME-global` it is, else
/// `aws`.
pub(crate) fn partition_of(region: &str) -> &'static Partition {
    let matches = |partition: &&Partition| {
        partition.region_prefixes.iter().any(|prefix| {
            let rest = region.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('-'));
            let Some((word, digits)) = rest.and_then(|rest| rest.split_once('-')) else { return false };
            !word.is_empty()
                && word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                && !digits.is_empty()
                && digits.bytes().all(|b| b.is_ascii_digit())
        })
    };
    // AWS's data list these pseudo regions one by one.
    let is_global = |partition: &&Partition| region.strip_suffix("-global") == Some(partition.name);
    PARTITIONS.iter().find(|partition| matches(partition) || is_global(partition)).unwrap_or(&PARTITIONS[0])
}

/// Rejects what must not become part of a host name. `origin` names where the value came from.
pub(crate) fn check(origin: &str, region: &str) -> Result<(), Error> {
    let label = (1..=63).contains(&region.len())
        && region.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && !region.starts_with('-')
        && !region.ends_with('-');
    if label {
        Ok(())
    } else {
        Err(Error::argument(format!(
            "{origin}: {} is not a region: expected 1 to 63 of a-z, 0-9 and '-', such as us-east-1",
            quoted(region)
        )))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_belong_to_their_partitions() {
        for (region, partition) in [
            ("us-east-1", "aws"),
            ("ap-southeast-7", "aws"),
            ("mx-central-1", "aws"),
            ("cn-northwest-1", "aws-cn"),
            ("us-gov-west-1", "aws-us-gov"),
            ("eusc-de-east-1", "aws-eusc"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eu-isoe-west-1", "aws-iso-e"),
            ("us-isof-south-1", "aws-iso-f"),
            ("moon-base-1", "aws"),
            ("local", "aws"),
        ] {
            assert_eq!(partition_of(region).name, partition, "{region}");
        }
    }

    #[test]
    fn pseudo_regions_stand_for_the_fips_endpoints_of_regions() {
        for (name, region, is_fips) in [
            ("fips-us-east-1", "us-east-1", true),
            ("us-east-1-fips", "us-east-1", true),
            ("us-gov-fips-west-1", "us-gov-west-1", true),
            ("fips-us-gov-west-1", "us-gov-west-1", true),
            ("us-east-1", "us-east-1", false),
            ("fips", "fips", false),
        ] {
            assert_eq!(normalized(name), (region.into(), is_fips));
        }
    }

    #[test]
    fn only_a_host_label_is_a_region() {
        for region in ["us-east-1", "local", "x", &"a".repeat(63)] {
            assert!(check("AWS_REGION", region).is_ok(), "{region}");
        }
        for region in ["", "-a", "a-", "US-EAST-1", "us east 1", "a.b", "evil.example/", "a@b", "é", &"a".repeat(64)] {
            let error = check("AWS_REGION", region).unwrap_err();
            assert!(error.message().starts_with("AWS_REGION: "), "{error}");
        }
    }
}
