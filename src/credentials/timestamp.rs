//! Points in time as credential sources write them: ISO 8601 in all the forms that the AWS tools read.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

/// Reads a date and a time of day, in the extended format (`2026-01-02T03:04:05`) or the basic one (`20260102T030405`); the
/// seconds may be missing. The zone is `Z`, `UTC`, `GMT` or an offset with or without its colon; a time without a zone is
/// UTC, as every AWS tool writes it.
pub(crate) fn parse(text: &str) -> Option<SystemTime> {
    let (date, rest) = text.trim().split_once(['T', 't', ' '])?;
    let is_of_time = |c: char| c.is_ascii_digit() || [':', '.', ','].contains(&c);
    let (time, zone) = rest.split_at(rest.find(|c| !is_of_time(c)).unwrap_or(rest.len()));
    let text = format!("{}T{}{}", date_in_rfc3339(date)?, time_in_rfc3339(time)?, zone_in_rfc3339(zone.trim())?);
    DateTime::from_str(&text, Format::DateTimeWithOffset).ok()?.try_into().ok()
}

fn date_in_rfc3339(date: &str) -> Option<String> {
    match date.len() {
        10 => Some(date.to_owned()),
        8 if is_number(date) => Some(format!("{}-{}-{}", &date[..4], &date[4..6], &date[6..])),
        _ => None,
    }
}

fn time_in_rfc3339(time: &str) -> Option<String> {
    let (time, fraction) = match time.split_once(['.', ',']) {
        Some((time, fraction)) => (time, format!(".{fraction}")),
        None => (time, String::new()),
    };
    let digits: String = time.chars().filter(|c| *c != ':').collect();
    let is_in_form = time.len() == digits.len() || time.split(':').all(|part| part.len() == 2);
    let (hour, minute) = (digits.get(..2)?, digits.get(2..4)?);
    match (is_in_form, digits.len(), fraction.as_str()) {
        (true, 6, _) => Some(format!("{hour}:{minute}:{}{fraction}", &digits[4..])),
        (true, 4, "") => Some(format!("{hour}:{minute}:00")),
        _ => None,
    }
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

fn zone_in_rfc3339(zone: &str) -> Option<String> {
    if ["", "z", "utc", "gmt"].iter().any(|utc| zone.eq_ignore_ascii_case(utc)) {
        return Some("Z".to_owned());
    }
    let digits: String = zone.strip_prefix(['+', '-'])?.chars().filter(|c| *c != ':').collect();
    match (is_number(&digits), digits.len()) {
        (true, 2) => Some(format!("{}{digits}:00", &zone[..1])),
        (true, 4) => Some(format!("{}{}:{}", &zone[..1], &digits[..2], &digits[2..])),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        parse(text).map(|time| time.duration_since(UNIX_EPOCH).unwrap().as_secs())
    }

    #[test]
    fn every_form_that_the_aws_tools_read_is_the_same_instant() {
        for text in [
            "2026-01-02T03:04:05Z",
            "2026-01-02T03:04:05z",
            " 2026-01-02T03:04:05Z\n",
            "2026-01-02T03:04:05UTC",
            "2026-01-02 03:04:05 UTC",
            "2026-01-02T03:04:05",
            "2026-01-02T03:04:05.678Z",
            "2026-01-02T03:04:05+00:00",
            "2026-01-02T05:04:05+02:00",
            "2026-01-02T05:04:05+0200",
            "2026-01-01T19:04:05-08",
            "2026-01-01T19:04:05-08:00",
            "2026-01-02T08:34:05+05:30",
            "2026-01-02T03:04:05,678Z",
            "20260102T030405Z",
            "20260102T030405",
            "20260102T030405.678Z",
            "20260102T050405+0200",
            "20260101 190405 -08",
            "2026-01-02T030405Z",
            "20260102T03:04:05Z",
        ] {
            assert_eq!(seconds(text), Some(1_767_323_045), "{text}");
        }
        for text in ["2026-01-02T03:04Z", "2026-01-02 03:04", "20260102T0304Z", "20260102T0504+02"] {
            assert_eq!(seconds(text), Some(1_767_323_040), "{text}");
        }
    }

    #[test]
    fn other_text_is_not_a_time() {
        for text in [
            "",
            "soon",
            "2026-01-02",
            "2026-01-02T",
            "2026-13-02T03:04:05Z",
            "20261302T030405Z",
            "2026012T030405Z",
            "20260102T03040Z",
            "20260102T0304.5Z",
            "2026-01-02T3:04:05Z",
            "2026-01-02T03:04:05:06Z",
            "2026-01-02T:03040:5Z",
            "2026-01-02T03:04:05PST",
            "é".repeat(9).as_str(),
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    /// What a server writes is arbitrary, and the reader below is not ours.
    #[test]
    fn no_text_panics() {
        let mut random = fastrand::Rng::with_seed(8);
        let alphabet: Vec<char> = "0123456789-:+.TZtzUC é\u{661}".chars().collect();
        for _ in 0..200_000 {
            let forms = ["2026-01-02T03:04:05.5+01:00", "20260102T030405Z"];
            let mut text: Vec<char> = forms[random.usize(..forms.len())].chars().collect();
            for _ in 0..random.usize(1..6) {
                let at = random.usize(..text.len());
                match random.u8(..3) {
                    0 => text[at] = alphabet[random.usize(..alphabet.len())],
                    1 => text.insert(at, alphabet[random.usize(..alphabet.len())]),
                    _ => drop(text.remove(at)),
                }
            }
            let _ = parse(&text.into_iter().collect::<String>());
        }
    }
}
