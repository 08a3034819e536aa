//! What a credential_process prints. Source of the form: the AWS SDKs and Tools Reference Guide, "Process credential
//! provider". Messages never repeat what it printed to its standard output.

use zeroize::Zeroizing;

use crate::config::credentials::{Credentials, Secrets};
use crate::credentials::timestamp;
use crate::platform_api::CommandOutput;
use crate::response::json_fields;
use crate::server_text::ServerText;

/// Of the last line on its standard error; more is cut.
const MAX_SHOWN: usize = 1_024;

/// Reads the credentials that it printed, or says why there are none.
pub(crate) fn credentials(ended: &CommandOutput) -> Result<Credentials, String> {
    if !ended.success {
        let said = said(ended);
        return Err(format!("{}{}{said}", ended.how, if said.is_empty() { "" } else { ": " }));
    }
    const NAMES: [&str; 5] = ["Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"];
    let Some([version, ..]) = json_fields::raw(&ended.stdout, NAMES) else {
        return Err("what it printed is not a JSON object".to_owned());
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
        Some(text) => Some(timestamp::parse(&text).ok_or("its Expiration is not a date in ISO 8601")?),
    };
    let id = id.ok_or("what it printed has no AccessKeyId")?;
    let secret = secret.ok_or("what it printed has no SecretAccessKey")?;
    let token = token.as_deref().map(String::as_str);
    Credentials::new(&id, &secret, token, expires).map_err(|error| error.message().to_owned())
}

/// Returns the last line of its standard error, which says why it failed. The lines before, and those of a shell that
/// traces its commands, may hold anything; and nothing that it printed as credentials is repeated from there.
fn said(ended: &CommandOutput) -> String {
    let text = Zeroizing::new(String::from_utf8_lossy(&ended.stderr).into_owned());
    let line = text.lines().map(str::trim).rfind(|line| !line.is_empty() && !line.starts_with('+')).unwrap_or_default();
    let mut secrets = Secrets::default();
    secrets.add(&Zeroizing::new(String::from_utf8_lossy(&ended.stdout).into_owned()));
    let line = secrets.redacted(line.to_owned());
    let line = ServerText::of(&line);
    match line.char_indices().nth(MAX_SHOWN) {
        Some((at, _)) => format!("{}...", &line[..at]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn printed(stdout: &str) -> Result<Credentials, String> {
        let ended = CommandOutput {
            success: true,
            how: String::new(),
            stdout: Zeroizing::new(stdout.as_bytes().to_vec()),
            stderr: Zeroizing::default(),
        };
        credentials(&ended)
    }

    #[test]
    fn its_document_is_read_with_and_without_a_token_and_an_expiration() {
        let found = printed(r#"{"Version":1,"AccessKeyId":"AKID","SecretAccessKey":"s"}"#).unwrap();
        assert_eq!((found.access_key_id(), found.expires()), ("AKID", None));
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
            ("hunter2", "not a JSON object"),
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
    fn its_last_line_says_why_it_failed() {
        for (stderr, stdout, said) in [
            ("  no session\n  log in first \n\n", "", "exit status: 3: log in first"),
            (
                "log in first\n+ curl -H 'Authorization: hunter2hunter2'\n++ exit 3\n",
                "",
                "exit status: 3: log in first",
            ),
            ("+ echo hunter2hunter2\n", "", "exit status: 3"),
            (
                "not this: hunter2hunter2, nor nter2hun\n",
                "{\"SecretAccessKey\":\"hunter2hunter2\"}",
                "exit status: 3: not this: (redacted), nor (redacted)",
            ),
        ] {
            let ended = CommandOutput {
                success: false,
                how: "exit status: 3".to_owned(),
                stdout: Zeroizing::new(stdout.as_bytes().to_vec()),
                stderr: Zeroizing::new(stderr.as_bytes().to_vec()),
            };
            assert_eq!(credentials(&ended).unwrap_err(), said);
        }
    }
}
