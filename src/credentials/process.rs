//! What a credential_process prints. Source of the form: the AWS SDKs and Tools Reference Guide, "Process credential
//! provider". Messages never repeat what it printed to its standard output.

use std::time::SystemTime;

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use zeroize::Zeroizing;

use crate::config::credentials::Credentials;
use crate::platform_api::CommandOutput;
use crate::response::json_fields;

/// Of what it prints to its standard error; more is cut.
const MAX_SHOWN: usize = 1_024;

/// The keys in what it printed, or why there are none.
pub(crate) fn credentials(ended: &CommandOutput) -> Result<Credentials, String> {
    if !ended.success {
        let said = said(&ended.stderr);
        return Err(format!("{}{}{said}", ended.how, if said.is_empty() { "" } else { ": " }));
    }
    const NAMES: [&str; 5] = ["Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"];
    let Some([version, ..]) = json_fields::raw(&ended.stdout, NAMES) else {
        return Err("what it printed is no JSON object".to_owned());
    };
    match version.map(|version| version.get()) {
        Some("1") => {}
        Some(_) => return Err("its Version is not 1".to_owned()),
        None => return Err("what it printed has no Version".to_owned()),
    }
    let texts = json_fields::texts(&ended.stdout, NAMES).unwrap_or_default();
    let [_, id, secret, token, expiration] = texts.map(|text| text.map(Zeroizing::new).filter(|text| !text.is_empty()));
    let expires = match expiration {
        None => None,
        Some(text) => {
            let time = DateTime::from_str(&with_colon(&text), Format::DateTimeWithOffset).ok();
            let time = time.and_then(|time| SystemTime::try_from(time).ok());
            Some(time.ok_or("its Expiration is no date as in ISO 8601")?)
        }
    };
    let id = id.ok_or("what it printed has no AccessKeyId")?;
    let secret = secret.ok_or("what it printed has no SecretAccessKey")?;
    let token = token.as_deref().map(String::as_str);
    Credentials::new(&id, &secret, token, expires).map_err(|error| error.message().to_owned())
}

/// An offset may be written without its colon.
fn with_colon(time: &str) -> String {
    match time.len().checked_sub(5).and_then(|at| time.split_at_checked(at)) {
        Some((time, offset)) if offset.starts_with(['+', '-']) && offset[1..].bytes().all(|b| b.is_ascii_digit()) => {
            format!("{time}{}:{}", &offset[..3], &offset[3..])
        }
        _ => time.to_owned(),
    }
}

/// One line of what it complained about.
fn said(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(MAX_SHOWN) {
        Some((at, _)) => format!("{}...", &words[..at]),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(stdout: &str) -> Result<Credentials, String> {
        let ended = CommandOutput {
            success: true,
            how: String::new(),
            stdout: Zeroizing::new(stdout.as_bytes().to_vec()),
            stderr: Vec::new(),
        };
        credentials(&ended)
    }

    #[test]
    fn its_document_is_read_with_and_without_a_token_and_an_end() {
        let keys = printed(r#"{"Version":1,"AccessKeyId":"AKID","SecretAccessKey":"s"}"#).unwrap();
        assert_eq!((keys.access_key_id(), keys.expires()), ("AKID", None));
        for end in ["2026-01-02T03:04:05Z", "2026-01-02T05:04:05+02:00", "2026-01-02T03:04:05+0000"] {
            let text = format!(
                r#"{{"Version":1,"AccessKeyId":"A","SecretAccessKey":"s","SessionToken":"t","Expiration":"{end}","X":[]}}"#
            );
            let expires = printed(&text).unwrap().expires().unwrap();
            assert_eq!(expires.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs(), 1_767_323_045);
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_a_value() {
        for (text, part) in [
            ("hunter2", "no JSON object"),
            (r#"{"Version":2,"AccessKeyId":"A","SecretAccessKey":"hunter2"}"#, "Version is not 1"),
            (r#"{"AccessKeyId":"A","SecretAccessKey":"hunter2"}"#, "no Version"),
            (r#"{"Version":1,"AccessKeyId":"hunter2"}"#, "no SecretAccessKey"),
            (r#"{"Version":1,"SecretAccessKey":"hunter2"}"#, "no AccessKeyId"),
            (r#"{"Version":1,"AccessKeyId":"A","SecretAccessKey":"hunter2","Expiration":"soon"}"#, "Expiration"),
            (r#"{"Version":1,"AccessKeyId":"A","SecretAccessKey":"hun ter2"}"#, "secret_access_key"),
            (r#"{"Version":1,"AccessKeyId":"A","SecretAccessKey":["hunter2"]}"#, "no SecretAccessKey"),
        ] {
            let error = printed(text).unwrap_err();
            assert!(error.contains(part) && !error.contains("hunter2"), "{text}: {error}");
        }
    }

    #[test]
    fn its_complaint_is_one_line() {
        let ended = CommandOutput {
            success: false,
            how: "exit status: 3".to_owned(),
            stdout: Zeroizing::default(),
            stderr: b"  no session\n  log in first \n".to_vec(),
        };
        assert_eq!(credentials(&ended).unwrap_err(), "exit status: 3: no session log in first");
    }
}
