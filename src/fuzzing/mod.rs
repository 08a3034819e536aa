//! The fuzz targets: each reads input of one kind and panics if the result breaks a promise. `make fuzz` runs them under
//! libFuzzer (tests/fuzz), and `cargo test` with the kept inputs. Compiled for these two only.

#![forbid(unsafe_code)]

mod configuration;
mod documents;
mod event_stream;
mod names;
mod responses;

/// Reads one input.
pub type Target = fn(&[u8]);

/// Every target by its name, which is that of its folder in tests/fuzz/corpus.
pub const TARGETS: &[(&str, Target)] = &[
    ("c_calls", crate::ffi::call_sequences::run),
    ("credential_process", documents::credential_process),
    ("error_document", documents::error_document),
    ("event_stream", event_stream::run),
    ("function_name", names::run),
    ("log_tail", documents::log_tail),
    ("response", responses::run),
    ("settings", configuration::settings),
    ("shared_file", configuration::shared_file),
];

/// Asserts that a text may stand in a message: one line without control characters.
#[track_caller]
fn assert_shown(text: &str) {
    assert!(!text.chars().any(char::is_control), "{text:?} has a control character");
}

/// Splits an input into parts, each up to a line of two dashes; the last part has the rest.
fn parts<const N: usize>(data: &[u8]) -> [&[u8]; N] {
    const SEPARATOR: &[u8] = b"\n--\n";
    let mut parts = [&[][..]; N];
    let mut rest = data;
    for (at, part) in parts.iter_mut().enumerate() {
        let end = rest.windows(SEPARATOR.len()).position(|window| window == SEPARATOR);
        (*part, rest) = match end.filter(|_| at + 1 < N) {
            Some(end) => (&rest[..end], &rest[end + SEPARATOR.len()..]),
            None => (rest, &[][..]),
        };
    }
    parts
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_kept_inputs_keep_every_promise() {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
        let mut folders: Vec<_> = fs::read_dir(&corpus).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        folders.sort();
        assert_eq!(folders, TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        for (name, target) in TARGETS {
            let inputs: Vec<_> = fs::read_dir(corpus.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
            assert!(inputs.len() > 3, "{name} has too few inputs");
            for path in inputs {
                // Shown if the target panics.
                println!("{}", path.display());
                target(&fs::read(path).unwrap());
            }
        }
    }

    #[test]
    fn an_input_has_parts() {
        assert_eq!(parts(b"a\n--\nb\n--\nc"), [&b"a"[..], b"b\n--\nc"]);
        assert_eq!(parts(b"a"), [&b"a"[..], b"", b""]);
    }
}
