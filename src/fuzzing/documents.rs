//! Documents and texts of other programs: errors of the service, tails of logs, output of a credential_process.

use http::HeaderMap;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{assert_shown, parts};
use crate::credentials::process;
use crate::platform_api::CommandOutput;
use crate::response::json_text;
use crate::response::response::decoded_log;
use crate::response::service_error::ServiceError;

/// An error's body, whole and cut: valid JSON is read as serde_json reads it.
pub(super) fn error_document(data: &[u8]) {
    for body in [data, &data[..data.len() / 2]] {
        let error = ServiceError::read(&HeaderMap::new(), body);
        [&error.code, &error.message, &error.reason].into_iter().flatten().for_each(|text| assert_shown(text));
        assert!(error.code.as_ref().is_none_or(|code| !code.is_empty() && !code.contains(['#', ':'])), "{error:?}");
    }
    const NAMES: [&str; 3] = ["code", "Message", "retryAfterSeconds"];
    let Ok(members) = serde_json::from_slice::<Map<String, Value>>(data) else { return };
    let found = json_text::find(data, NAMES);
    assert!(found.as_ref().is_some_and(|found| found.is_whole), "an object is not taken for one");
    for (name, raw) in NAMES.iter().zip(found.map(|found| found.values).unwrap_or_default()) {
        let value = raw.and_then(|raw| serde_json::from_slice::<Value>(raw).ok());
        assert_eq!(value.as_ref(), members.get(*name), "{name}");
    }
}

/// The tail of a log, compared with a decoder that follows RFC 4648 letter by letter.
pub(super) fn log_tail(data: &[u8]) {
    assert_eq!(decoded_log(data), decoded_by_the_letter(data));
}

fn decoded_by_the_letter(data: &[u8]) -> Option<Vec<u8>> {
    let letters: Vec<u8> = data.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let end = letters.iter().position(|letter| *letter == b'=').unwrap_or(letters.len());
    let padding = &letters[end..];
    // Padding may be missing, but there is never too much of it.
    let may_have = [0, 0, 2, 1][end % 4];
    if end % 4 == 1 || padding.len() > may_have || padding.iter().any(|letter| *letter != b'=') {
        return None;
    }
    let mut bits = Vec::new();
    for letter in &letters[..end] {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits.extend((0..6).rev().map(|at| value >> at & 1));
    }
    Some(bits.chunks_exact(8).map(|byte| byte.iter().fold(0, |value, bit| value << 1 | bit)).collect())
}

/// What a credential_process printed to its output and, behind a line of two dashes, to its standard error.
pub(super) fn credential_process(data: &[u8]) {
    const SECRET: &str = "hunter2/hunter2+hunter2";
    let [stdout, stderr] = parts(data);
    for success in [true, false] {
        let ended = CommandOutput {
            success,
            how: "exit status: 1".into(),
            stdout: Zeroizing::new(stdout.to_vec()),
            stderr: Zeroizing::new(stderr.to_vec()),
        };
        match process::credentials(&ended) {
            Ok(credentials) => {
                assert!(success && !credentials.access_key_id().is_empty());
                assert!(!format!("{credentials:?}").contains(SECRET));
            }
            Err(why) => {
                assert_shown(&why);
                let printed = String::from_utf8_lossy(stdout);
                assert!(!(printed.contains(SECRET) && why.contains(SECRET)), "{why} repeats what was printed");
            }
        }
    }
}
