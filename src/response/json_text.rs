//! The text of JSON fields that a server wrote for people, from a document that need not be valid, whole or small.
//!
//! `json_fields` reads documents that must be right. This reads what a failed function or a failing service said: half a
//! surrogate pair, bytes that are not UTF-8, a value that is not a string and a document that was cut are all no reason to
//! lose it. serde_json would refuse them, and allocates infallibly for a text of any length with an escape in it. It takes
//! linear time, no recursion, and memory for the bounded texts alone.

use crate::server_text::ServerText;

/// A field name with escapes that is longer is none of those asked for.
const MAX_ESCAPED_NAME: usize = 128;

/// The raw values of some top-level fields.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found<'j, const N: usize> {
    /// By the order of the names; only values that came whole. Of two fields with one name the last counts.
    pub(crate) values: [Option<&'j [u8]>; N],
    /// Whether the object came to its end, and nothing but white space follows.
    pub(crate) is_whole: bool,
}

/// Finds the fields with these names. `None`: the document is not a JSON object. A byte order mark is skipped.
pub(crate) fn find<'j, const N: usize>(json: &'j [u8], names: [&str; N]) -> Option<Found<'j, N>> {
    let json = json.strip_prefix("\u{feff}".as_bytes()).unwrap_or(json);
    let mut scanner = Scanner { json, at: 0 };
    scanner.skip_blank();
    scanner.take(b'{')?;
    let mut found = Found { values: [None; N], is_whole: false };
    found.is_whole = scanner.members(&names, &mut found.values).is_some();
    Some(found)
}

/// Converts a value to text: that of a string, or the JSON of anything else. `None`: it is null.
pub(crate) fn text(value: &[u8]) -> Option<String> {
    match value {
        b"null" => None,
        [b'"', content @ .., b'"'] => Some(string(content)),
        other => Some(ServerText::of_bytes(other)),
    }
}

/// Converts a value to text if it is a string.
pub(crate) fn string_text(value: &[u8]) -> Option<String> {
    value.starts_with(b"\"").then(|| text(value)).flatten()
}

struct Scanner<'j> {
    json: &'j [u8],
    at: usize,
}

impl<'j> Scanner<'j> {
    /// Reads the members of an object, up to the end of the document. `None`: it is cut or malformed.
    fn members(&mut self, names: &[&str], values: &mut [Option<&'j [u8]>]) -> Option<()> {
        self.skip_blank();
        if self.take(b'}').is_none() {
            loop {
                self.skip_blank();
                let name = self.string()?;
                self.skip_blank();
                self.take(b':')?;
                self.skip_blank();
                let value = self.value()?;
                if let Some(at) = names.iter().position(|known| is_name(name, known)) {
                    values[at] = Some(value);
                }
                self.skip_blank();
                if self.take(b',').is_none() {
                    break;
                }
            }
            self.take(b'}')?;
        }
        self.skip_blank();
        (self.at == self.json.len()).then_some(())
    }

    fn peek(&self) -> Option<u8> {
        self.json.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn skip_blank(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Reads a string, and returns its content with the escapes as they are.
    fn string(&mut self) -> Option<&'j [u8]> {
        self.take(b'"')?;
        let start = self.at;
        loop {
            match self.peek()? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        self.json.get(start..self.at - 1)
    }

    /// Reads a value of any kind. Brackets are only counted: what is in them is skipped.
    fn value(&mut self) -> Option<&'j [u8]> {
        let start = self.at;
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                }
                b'[' | b'{' => {
                    depth += 1;
                    self.at += 1;
                    continue;
                }
                b']' | b'}' if depth > 0 => {
                    depth -= 1;
                    self.at += 1;
                }
                b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' if depth > 0 => {
                    self.at += 1;
                    continue;
                }
                _ => self.literal()?,
            }
            if depth == 0 {
                return self.json.get(start..self.at);
            }
        }
    }

    /// Reads a number or a word. One at the very end of the document may have been cut.
    fn literal(&mut self) -> Option<()> {
        let start = self.at;
        while !matches!(self.peek()?, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' | b']' | b'}' | b'[' | b'{' | b'"') {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}

fn is_name(raw: &[u8], name: &str) -> bool {
    match raw.contains(&b'\\') {
        false => raw == name.as_bytes(),
        true => raw.len() <= MAX_ESCAPED_NAME && string(raw) == name,
    }
}

/// Decodes a string's content.
fn string(content: &[u8]) -> String {
    let mut text = ServerText::default();
    let mut rest = content;
    while !rest.is_empty() && !text.is_cut() {
        let plain = rest.iter().position(|byte| *byte == b'\\').unwrap_or(rest.len());
        text.push_bytes(&rest[..plain]);
        rest = &rest[plain..];
        if !rest.is_empty() {
            let (character, length) = escape(rest);
            text.push(character);
            rest = &rest[length..];
        }
    }
    text.finish()
}

/// Decodes the escape that `bytes` begins with, and returns its length too.
fn escape(bytes: &[u8]) -> (char, usize) {
    let character = match bytes.get(1) {
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(plain @ (b'"' | b'\\' | b'/')) => char::from(*plain),
        Some(b'u') => return code_units(bytes),
        _ => return (char::REPLACEMENT_CHARACTER, 1),
    };
    (character, 2)
}

/// Decodes one `\uXXXX`, or two that are a surrogate pair.
fn code_units(bytes: &[u8]) -> (char, usize) {
    let Some(first) = code_unit(bytes) else { return (char::REPLACEMENT_CHARACTER, 2) };
    let second = bytes.get(6..).and_then(code_unit);
    match char::decode_utf16([first].into_iter().chain(second)).next() {
        Some(Ok(character)) => (character, 6 * character.len_utf16()),
        _ => (char::REPLACEMENT_CHARACTER, 6),
    }
}

fn code_unit(bytes: &[u8]) -> Option<u16> {
    let digits = bytes.strip_prefix(b"\\u")?.get(..4)?;
    let digits = digits.iter().all(u8::is_ascii_hexdigit).then_some(digits)?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;

    fn texts<const N: usize>(json: &[u8], names: [&str; N]) -> [Option<String>; N] {
        find(json, names).unwrap().values.map(|value| value.and_then(text))
    }

    #[test]
    fn text_that_strict_readers_refuse_is_not_lost() {
        for (json, expected) in [
            (&br#"{"m":"bad \ud83d here"}"#[..], "bad \u{fffd} here"),
            (br#"{"m":"low \ude00\ud83d\ude00"}"#, "low \u{fffd}\u{1f600}"),
            (br#"{"m":"\ud83d\u0041\ud83d"}"#, "\u{fffd}A\u{fffd}"),
            (br#"{"m":"\ud83dx\uD83D\uDE00"}"#, "\u{fffd}x\u{1f600}"),
            (b"{\"m\":\"caf\xe9\"}", "caf\u{fffd}"),
            (b"{\"m\":\"raw\nbreak\x01\"}", "raw break\u{fffd}"),
            (br#"{"m":"\q\u12g4\u"}"#, "\u{fffd}q\u{fffd}12g4\u{fffd}"),
            (br#"{"m":{"code":1,"a":["}","\"]"]}}"#, r#"{"code":1,"a":["}","\"]"]}"#),
            (br#"{"m":[1, 2]}"#, "[1, 2]"),
            (br#"{"m":42 }"#, "42"),
            (br#"{"m":false}"#, "false"),
            (br#"{"m":"first","m":"last"}"#, "last"),
            (br#"{"\u006d":"by an escaped name"}"#, "by an escaped name"),
            (b"\xef\xbb\xbf{\"m\":\"after a byte order mark\"}", "after a byte order mark"),
            (br#"{"m":"kept","n":"cut"#, "kept"),
            (br#"{"m":"kept","n":{"x":["#, "kept"),
        ] {
            assert_eq!(texts(json, ["m"]), [Some(expected.to_owned())], "{}", json.escape_ascii());
        }
        for json in ["{}", r#"{"m":null}"#, r#"{"x":{"m":"inner"}}"#, r#"{"m":"cut"#, r#"{"m":12"#, r#"{"m":"\"#, "{"] {
            assert_eq!(texts(json.as_bytes(), ["m"]), [None], "{json}");
        }
        for json in ["", "[1]", "null", "text", "<html>", "[[[["] {
            assert_eq!(find(json.as_bytes(), ["m"]), None, "{json}");
        }
    }

    #[test]
    fn only_a_string_is_a_string() {
        assert_eq!(string_text(br#""a""#).as_deref(), Some("a"));
        for other in ["1", "null", "{}", "[\"a\"]"] {
            assert_eq!(string_text(other.as_bytes()), None);
        }
    }

    /// Generates a JSON value.
    fn value(random: &mut fastrand::Rng, depth: usize) -> Value {
        let text = |random: &mut fastrand::Rng| -> String {
            let kinds = ["a", "\"", "\\", "/", "{", "}", "[", "]", ",", ":", " ", "é", "👋", "\\u", "null"];
            (0..random.usize(..6)).map(|_| kinds[random.usize(..kinds.len())]).collect()
        };
        match random.usize(..if depth == 0 { 4 } else { 6 }) {
            0 => Value::Null,
            1 => json!(random.bool()),
            2 => json!(random.i32(..)),
            3 => json!(text(random)),
            4 => (0..random.usize(..4)).map(|_| value(random, depth - 1)).collect(),
            _ => {
                let members = (0..random.usize(..4)).map(|_| (text(random), value(random, depth - 1)));
                Value::Object(members.collect::<Map<_, _>>())
            }
        }
    }

    #[test]
    fn valid_documents_are_read_as_serde_json_reads_them() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..3_000 {
            let mut members = Map::new();
            for name in ["x", "m", "errorMessage", "é\""] {
                if random.bool() {
                    members.insert(name.to_owned(), value(&mut random, 3));
                }
            }
            let compact = random.bool();
            let document = Value::Object(members.clone());
            let json =
                if compact { serde_json::to_vec(&document) } else { serde_json::to_vec_pretty(&document) }.unwrap();
            let names = ["m", "errorMessage", "é\""];
            let found = find(&json, names).unwrap();
            assert!(found.is_whole);
            for (name, raw) in names.iter().zip(found.values) {
                let read = raw.map(|raw| serde_json::from_slice::<Value>(raw).unwrap());
                assert_eq!(read.as_ref(), members.get(*name), "{}", json.escape_ascii());
                if let Some(Value::String(expected)) = members.get(*name) {
                    assert_eq!(&text(raw.unwrap()).unwrap(), expected);
                }
            }
            for cut in 0..json.len() {
                let Some(found) = find(&json[..cut], names) else { continue };
                assert!(!found.is_whole, "{}", json[..cut].escape_ascii());
                for (name, raw) in names.iter().zip(found.values) {
                    // What is found in a document that was cut is whole.
                    assert!(
                        raw.is_none_or(|raw| serde_json::from_slice::<Value>(raw).ok().as_ref() == members.get(*name))
                    );
                }
            }
        }
    }

    #[test]
    fn hostile_documents_take_linear_time() {
        let size = 4_000_000;
        for unit in ["[", "{\"a\":", "\\u0061", "\"a\":1,", "\\", "\"\",", "1"] {
            let json = format!("{{\"{}", unit.repeat(size / unit.len()));
            let started = std::time::Instant::now();
            for json in [json.clone(), json[..1].to_owned() + &json[2..]] {
                let found = find(json.as_bytes(), ["errorMessage", "errorType"]).unwrap();
                assert!(!found.is_whole);
            }
            assert!(started.elapsed().as_secs() < 5, "{unit}");
        }
    }
}
