//! Reads the syntax of the shared AWS files. The rules are those of botocore, which the AWS CLI reads them with: Python's
//! `configparser.RawConfigParser`, and botocore's `configloader` on top of it. AWS's parser for Rust rejects files that the
//! AWS CLI reads, and silently drops profiles whose names it does not like.
//!
//! Where this reader differs on purpose, it reads more than botocore, which rejects a whole file for one bad line:
//! - A line that is not valid counts against its own section only ([`SharedFile::faulty_line`]).
//! - Sections with the same header are merged, and the last of several properties with the same name counts, as in the AWS
//!   SDKs.
//! - Blanks inside the brackets of a header and a byte order mark before the first one are ignored.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use zeroize::Zeroizing;

/// Larger than the file of anybody with ten thousand profiles. [`Span`] relies on it.
const MAX_FILE_BYTES: usize = 16 * 1024 * 1024;
const BYTE_ORDER_MARK: char = '\u{feff}';
/// The properties that hold secrets.
const SECRETS: [&str; 3] = ["aws_secret_access_key", "aws_session_token", "aws_security_token"];

/// Which of the two files it is: their headers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `[default]`, `[profile NAME]`, `[sso-session NAME]`, `[services NAME]`.
    Config,
    /// `[NAME]`, always a profile.
    Credentials,
}

/// What a section is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SectionName {
    /// `[DEFAULT]`: its properties are those of every section that does not have them.
    Defaults,
    Profile(String),
    SsoSession(String),
    Services(String),
    /// No tool reads it.
    Other(String),
}

/// The sections of one file. Holds the file's text once, which is wiped when this is dropped, and where its parts are.
#[derive(Default)]
pub(crate) struct SharedFile {
    text: Zeroizing<String>,
    sections: BTreeMap<SectionName, Section>,
}

/// A part of the text.
#[derive(Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

struct Section {
    header: Span,
    properties: Vec<Property>,
    /// The first line that is not valid, counted from 1.
    faulty_line: Option<usize>,
}

struct Property {
    name: Span,
    /// Up to the last line that continues it.
    value: Span,
}

/// A file that belongs to nobody: a property stands before the first header, on this line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoHeader {
    pub(crate) line: usize,
}

impl SharedFile {
    /// Reads a file's bytes, into memory that is wiped and never moved unwiped.
    pub(crate) fn load(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
        let mut file = File::open(path)?;
        let expected = file.metadata().map_or(0, |metadata| metadata.len());
        // One byte more than expected, so that the end is seen without another buffer.
        let mut capacity = usize::try_from(expected).unwrap_or(usize::MAX).clamp(4095, MAX_FILE_BYTES) + 1;
        let mut bytes = zeroed(capacity)?;
        let mut filled = 0;
        loop {
            match file.read(&mut bytes[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
            if filled > MAX_FILE_BYTES {
                let why = format!("is larger than {} MiB", MAX_FILE_BYTES / 1024 / 1024);
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
            }
            if filled == capacity {
                capacity = (capacity * 2).min(MAX_FILE_BYTES + 1);
                let mut larger = zeroed(capacity)?;
                larger[..filled].copy_from_slice(&bytes);
                bytes = larger;
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    /// Finds the sections and properties. Bytes that are not UTF-8 make the line that they are in invalid, unless it is a
    /// comment.
    pub(crate) fn parse(bytes: Zeroizing<Vec<u8>>, kind: Kind) -> Result<Self, NoHeader> {
        let text = into_text(bytes);
        let mut sections = Sections { text: &text, kind, all: BTreeMap::new() };
        let mut section: Option<Section> = None;
        // How far the header or property that a line may continue is indented; `None`: nothing can be continued.
        let mut continued: Option<usize> = None;
        for (number, line) in (1..).zip(lines(&text, text.len() - text.trim_start_matches(BYTE_ORDER_MARK).len())) {
            let trimmed = trim(&text, line);
            let content = trimmed.of(&text);
            if content.is_empty() || content.starts_with(['#', ';']) {
                continue;
            }
            let indent = text[line.range()].chars().take_while(|c| is_space(*c)).count();
            if let (Some(above), Some(section)) = (continued, &mut section)
                && indent > above
                && let Some(property) = section.properties.last_mut()
            {
                property.value.end = trimmed.end;
                continue;
            }
            if let Some(header) = header(trimmed, &text) {
                sections.add(section.replace(Section { header, properties: Vec::new(), faulty_line: None }));
                continued = None;
                continue;
            }
            let Some(section) = &mut section else { return Err(NoHeader { line: number }) };
            match property(trimmed, &text).filter(|_| !content.contains(char::REPLACEMENT_CHARACTER)) {
                Some(property) => {
                    section.properties.push(property);
                    continued = Some(indent);
                }
                None => section.faulty_line = section.faulty_line.or(Some(number)),
            }
        }
        sections.add(section);
        let sections = sections.all;
        Ok(Self { text, sections })
    }

    pub(crate) fn contains(&self, section: &SectionName) -> bool {
        self.sections.contains_key(section)
    }

    /// Whether a section has no property at all.
    pub(crate) fn is_empty(&self, section: &SectionName) -> bool {
        self.sections.get(section).is_none_or(|section| section.properties.is_empty())
    }

    /// The first line of a section that is neither a header, a property nor a comment.
    pub(crate) fn faulty_line(&self, section: &SectionName) -> Option<usize> {
        [section, &SectionName::Defaults].iter().find_map(|name| self.sections.get(name)?.faulty_line)
    }

    /// The first property whose value is followed by what looks like another property, but continues the value since it is
    /// indented deeper.
    pub(crate) fn swallowing(&self, section: &SectionName) -> Option<&str> {
        let properties = &self.sections.get(section)?.properties;
        let swallowing = properties.iter().find(|property| {
            let value = property.value.of(&self.text);
            let mut lines = lines(value, 0).map(|line| line.of(value)).filter(|line| !line.trim().is_empty());
            let first = lines.next().unwrap_or_default();
            // A value that begins in the line below is nested.
            value.starts_with(first) && lines.any(|line| line.contains('='))
        })?;
        Some(swallowing.name.of(&self.text))
    }

    /// A property of a section, in lower case; its lines are joined by `\n`, each without the blanks around it. A value
    /// that begins with `\n` has its lines indented below the property: see [`nested`].
    pub(crate) fn get(&self, section: &SectionName, property: &str) -> Option<String> {
        let own = self.sections.get(section)?;
        let found = self.own(own, property).or_else(|| self.own(self.sections.get(&SectionName::Defaults)?, property));
        found.map(|found| joined(&self.text, found.value))
    }

    /// Whether a section has a property itself, not by default.
    pub(crate) fn has(&self, section: &SectionName, property: &str) -> bool {
        self.sections.get(section).is_some_and(|section| self.own(section, property).is_some())
    }

    fn own<'s>(&self, section: &'s Section, property: &str) -> Option<&'s Property> {
        section.properties.iter().rev().find(|found| found.name.of(&self.text).eq_ignore_ascii_case(property))
    }
}

/// Without what the file holds.
impl std::fmt::Debug for SharedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.sections.keys()).finish()
    }
}

/// The value of `wanted` in the indented lines of a property, in any case of letters; `Err`: a line has no `=`.
pub(crate) fn nested<'v>(value: &'v str, wanted: &str) -> Result<Option<&'v str>, ()> {
    // Every character that Python's splitlines() takes for a line's end.
    let ends = ['\n', '\r', '\x0b', '\x0c', '\x1c', '\x1d', '\x1e', '\u{85}', '\u{2028}', '\u{2029}'];
    let mut found = None;
    for line in value.split(ends).map(|line| line.trim_matches(is_space)).filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once('=').ok_or(())?;
        if name.trim_matches(is_space).eq_ignore_ascii_case(wanted) {
            found = Some(value.trim_matches(is_space));
        }
    }
    Ok(found)
}

/// The sections as they are found.
struct Sections<'t> {
    text: &'t str,
    kind: Kind,
    all: BTreeMap<SectionName, Section>,
}

impl Sections<'_> {
    /// Adds a section that has ended. Of two headers that spell the same name differently, the later one counts alone.
    fn add(&mut self, section: Option<Section>) {
        let Some(mut section) = section else { return };
        let header = section.header.of(self.text);
        let Some(name) = section_name(header, self.kind) else { return };
        match self.all.get_mut(&name) {
            Some(known) if known.header.of(self.text) == header => {
                known.properties.append(&mut section.properties);
                known.faulty_line = known.faulty_line.or(section.faulty_line);
            }
            _ => {
                self.all.insert(name, section);
            }
        }
    }
}

/// What a header names; `None`: nothing that could be asked for.
fn section_name(header: &str, kind: Kind) -> Option<SectionName> {
    let of_word = |name: fn(String) -> SectionName| match <[String; 2]>::try_from(words(header)?) {
        Ok([_, word]) => Some(name(word)),
        Err(_) => None,
    };
    match (kind, header) {
        (_, "DEFAULT") => Some(SectionName::Defaults),
        (Kind::Credentials, name) => Some(SectionName::Profile(name.to_owned())),
        (Kind::Config, "default") => Some(SectionName::Profile(header.to_owned())),
        (Kind::Config, _) if header.starts_with("profile") => of_word(SectionName::Profile),
        (Kind::Config, _) if header.starts_with("sso-session") => of_word(SectionName::SsoSession),
        (Kind::Config, _) if header.starts_with("services") => of_word(SectionName::Services),
        (Kind::Config, other) => Some(SectionName::Other(other.to_owned())),
    }
}

/// Splits a header as a POSIX shell splits words, by the rules of Python's `shlex.split`; `None`: a quote is not closed, or
/// a backslash ends it.
fn words(header: &str) -> Option<Vec<String>> {
    let mut words: Vec<String> = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = header.chars();
    while let Some(c) = characters.next() {
        match c {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\\' => word.get_or_insert_default().push(characters.next()?),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next()? {
                        '\'' => break,
                        c => word.push(c),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match characters.next()? {
                        '"' => break,
                        '\\' => match characters.next()? {
                            c @ ('"' | '\\') => word.push(c),
                            c => word.extend(['\\', c]),
                        },
                        c => word.push(c),
                    }
                }
            }
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    Some(words)
}

/// The inside of `[...]`, up to the last bracket of the line: what follows is ignored.
fn header(line: Span, text: &str) -> Option<Span> {
    let content = line.of(text);
    let end = content.rfind(']').filter(|end| *end > 1 && content.starts_with('['))?;
    Some(trim(text, line.part(1, end)))
}

/// `name = value` or `name: value`.
fn property(line: Span, text: &str) -> Option<Property> {
    let content = line.of(text);
    let at = content.find(['=', ':'])?;
    let name = trim(text, line.part(0, at));
    (!name.of(text).is_empty()).then(|| Property { name, value: trim(text, line.part(at + 1, content.len())) })
}

/// The lines of a value without comments and the blanks around them.
fn joined(text: &str, value: Span) -> String {
    let mut joined = String::with_capacity(value.of(text).len());
    for (index, line) in lines(value.of(text), 0).enumerate() {
        let line = text_of(value.of(text), line);
        if index > 0 {
            if line.starts_with(['#', ';']) {
                continue;
            }
            joined.push('\n');
            if let Some(shown) = before_secret(line) {
                joined.push_str(shown);
                continue;
            }
        }
        joined.push_str(line);
    }
    joined.truncate(joined.trim_end_matches(is_space).len());
    joined
}

/// Returns what stands before the secret in a line that was indented by mistake, so that it continues a value. Such a value is
/// hardly ever valid, and messages repeat values that are not.
fn before_secret(line: &str) -> Option<&str> {
    let (name, _) = line.split_once(['=', ':'])?;
    let is_secret = SECRETS.iter().any(|secret| name.trim_matches(is_space).eq_ignore_ascii_case(secret));
    is_secret.then(|| &line[..=name.len()])
}

fn text_of(text: &str, line: Span) -> &str {
    line.of(text).trim_matches(is_space)
}

/// The lines of a text from an offset on, which may end in `\n`, `\r\n` or `\r`.
fn lines(text: &str, from: usize) -> impl Iterator<Item = Span> {
    let mut rest = Some(from);
    std::iter::from_fn(move || {
        let start = rest?;
        let end = text[start..].find(['\n', '\r']).map(|length| start + length);
        rest = end.map(|end| end + if text[end..].starts_with("\r\n") { 2 } else { 1 });
        Some(Span::new(start, end.unwrap_or(text.len())))
    })
}

fn trim(text: &str, span: Span) -> Span {
    let content = span.of(text);
    let start = content.len() - content.trim_start_matches(is_space).len();
    span.part(start, start + content.trim_matches(is_space).len())
}

/// What Python takes for white space.
fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\x1c'..='\x1f').contains(&c)
}

impl Span {
    fn new(start: usize, end: usize) -> Self {
        // A text is not longer than three times what was read.
        let offset = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { start: offset(start), end: offset(end) }
    }

    /// A part of this part.
    fn part(self, start: usize, end: usize) -> Self {
        let offset = self.start as usize;
        Self::new(offset + start, offset + end)
    }

    fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }

    fn of(self, text: &str) -> &str {
        text.get(self.range()).unwrap_or_default()
    }
}

fn zeroed(length: usize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::new());
    bytes.try_reserve_exact(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
    bytes.resize(length, 0);
    Ok(bytes)
}

/// The bytes as text, with U+FFFD in the place of those that are not UTF-8.
fn into_text(mut bytes: Zeroizing<Vec<u8>>) -> Zeroizing<String> {
    if std::str::from_utf8(&bytes).is_ok() {
        return Zeroizing::new(String::from_utf8(std::mem::take(&mut *bytes)).unwrap_or_default());
    }
    // At its full length: one that grew would leave copies of secrets behind.
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 3));
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: impl Into<Vec<u8>>, kind: Kind) -> Result<SharedFile, NoHeader> {
        SharedFile::parse(Zeroizing::new(text.into()), kind)
    }

    fn profile(name: &str) -> SectionName {
        SectionName::Profile(name.to_owned())
    }

    /// What botocore does with the same file: tests/configured/test_shared_files.py compares many more.
    #[test]
    fn a_file_is_read_as_people_write_it() {
        let text = "\u{feff}# mine\r\n  [default] text behind\r\n  REGION : eu-west-1 # kept\r\n    ; not kept\r\n\r\n    more\r\n\
                    \x20 s3=\r\n    # note\r\n    A = b\r\n\r\n    c = d = e\r\n[profile 'a b' ]\nx=1\n\
                    [profile \"a%20b\"]\rx=2\n[profile c]\nx=3\nx = 4\n[profile \"c\"]\ny=5\n[profile c]\nx = 6\n[d]\n[profile]\n";
        let file = parse(text, Kind::Config).unwrap();
        let get = |name: &str, property: &str| file.get(&profile(name), property);
        assert_eq!(get("default", "region").as_deref(), Some("eu-west-1 # kept\n\nmore"));
        let s3 = get("default", "s3").unwrap();
        assert_eq!(s3, "\nA = b\n\nc = d = e");
        assert_eq!(
            (nested(&s3, "a"), nested(&s3, "c"), nested(&s3, "d")),
            (Ok(Some("b")), Ok(Some("d = e")), Ok(None))
        );
        assert_eq!(nested("\nno", "a"), Err(()));
        assert_eq!(get("a b", "x").as_deref(), Some("1"));
        assert_eq!(get("a%20b", "x").as_deref(), Some("2"));
        assert_eq!((get("c", "x").as_deref(), get("c", "y")), (Some("6"), None));
        assert!(file.contains(&SectionName::Other("d".to_owned())) && !file.contains(&profile("d")));
    }

    #[test]
    fn a_line_that_is_not_valid_counts_against_its_own_section() {
        let text = b"[a]\nx = 1\nnonsense\n= y\n[b]\nx = \xff\n[c]\n# \xff\nx = 3\n[DEFAULT]\ny = 4\n";
        let file = parse(text, Kind::Credentials).unwrap();
        let faults = ["a", "b", "c"].map(|name| file.faulty_line(&profile(name)));
        assert_eq!(faults, [Some(3), Some(6), None]);
        assert_eq!(file.get(&profile("c"), "y").as_deref(), Some("4"));
        assert_eq!(parse("\n# x\nregion = x\n[a]\n", Kind::Config).err(), Some(NoHeader { line: 3 }));
    }

    #[test]
    fn a_secret_that_continues_a_value_is_not_part_of_it() {
        for name in ["aws_secret_access_key", "AWS_Session_Token ", "aws_security_token"] {
            let file = parse(format!("[a]\nregion = x\n  {name}= hunter2\n  more\n"), Kind::Credentials).unwrap();
            let value = file.get(&profile("a"), "region").unwrap();
            assert_eq!(value, format!("x\n{name}=\nmore"));
        }
    }

    /// tests/configured/test_settings.py has more of these.
    #[test]
    fn a_property_that_continues_another_is_found_however_lines_end() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["[a]", "output = json", "  endpoint_url = http://h"].join(end);
            assert_eq!(parse(text, Kind::Credentials).unwrap().swallowing(&profile("a")), Some("output"), "{end:?}");
        }
    }

    #[test]
    fn headers_are_split_as_by_python() {
        for (header, expected) in [
            ("a  b\tc", Some(&["a", "b", "c"][..])),
            ("a 'b c'\"d\"e", Some(&["a", "b cde"])),
            (r#"a "b\"c\\d\e" f\ g"#, Some(&["a", r#"b"c\d\e"#, "f g"])),
            ("a ''", Some(&["a", ""])),
            ("a 'b", None),
            ("a \"b", None),
            ("a b\\", None),
            ("", Some(&[])),
        ] {
            assert_eq!(
                words(header).as_deref(),
                expected.map(|words| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).as_deref(),
                "{header}"
            );
        }
    }

    /// Also the file that is worst: many lines that continue one value, many sections, many properties.
    #[test]
    fn a_big_file_is_read_in_linear_time() {
        let size = 1024 * 1024;
        for line in ["[a]\n", "[profile \"a b\"]\nx=1\n", "x=1\n", " continued\n", " [\n", "\n", "\r", "  # x\n"] {
            let mut text = "[default]\nx = 1\n".to_owned();
            while text.len() < size {
                text.push_str(line);
            }
            let began = std::time::Instant::now();
            let file = parse(text, Kind::Config).unwrap();
            assert!(file.get(&profile("default"), "x").unwrap().starts_with('1'));
            assert!(began.elapsed() < std::time::Duration::from_secs(20), "{line:?}: {:?}", began.elapsed());
        }
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
        let error = SharedFile::load(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
        assert!(error.to_string().contains("16 MiB"));
        assert_eq!(SharedFile::load(Path::new("/dev/null")).unwrap().as_slice(), b"");
    }
}
