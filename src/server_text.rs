//! Text that a server wrote, as it may stand in a result: UTF-8, on one line, without control characters, and bounded.

/// No text is longer; Lambda's own are far shorter.
pub(crate) const MAX_BYTES: usize = 64 * 1024;

const CUT: &str = "...";

/// Builds one text. A line break becomes a space, with the blanks behind it; another control character, and what is not
/// UTF-8, becomes U+FFFD. It allocates fallibly: where there is no memory, the text ends early.
#[derive(Debug, Default)]
pub(crate) struct ServerText {
    text: String,
    follows_break: bool,
    is_cut: bool,
}

impl ServerText {
    /// Converts the bytes of a header or of a body.
    pub(crate) fn of_bytes(bytes: &[u8]) -> String {
        let mut text = Self::default();
        // Nearly every header: nothing of it changes.
        if bytes.len() <= MAX_BYTES - CUT.len()
            && bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
            && let Ok(plain) = std::str::from_utf8(bytes)
            && text.text.try_reserve_exact(plain.len()).is_ok()
        {
            text.text.push_str(plain);
            return text.text;
        }
        text.push_bytes(bytes);
        text.finish()
    }

    /// Converts text that holds parts of a server's.
    pub(crate) fn of(text: &str) -> String {
        Self::of_bytes(text.as_bytes())
    }

    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) {
        for chunk in bytes.utf8_chunks() {
            let replaced = (!chunk.invalid().is_empty()).then_some(char::REPLACEMENT_CHARACTER);
            for character in chunk.valid().chars().chain(replaced) {
                if self.is_cut {
                    return;
                }
                self.push(character);
            }
        }
    }

    pub(crate) fn push(&mut self, character: char) {
        let is_break = matches!(character, '\t'..='\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
        if is_break || (self.follows_break && character == ' ') {
            self.follows_break = true;
            return;
        }
        if std::mem::take(&mut self.follows_break) && !self.text.is_empty() && !self.text.ends_with(' ') {
            self.append(' ');
        }
        self.append(if character.is_control() { char::REPLACEMENT_CHARACTER } else { character });
    }

    /// Whether nothing more is taken.
    pub(crate) fn is_cut(&self) -> bool {
        self.is_cut
    }

    fn append(&mut self, character: char) {
        let bytes = character.len_utf8();
        let fits = self.text.len() + bytes + CUT.len() <= MAX_BYTES && self.text.try_reserve(bytes).is_ok();
        match fits && !self.is_cut {
            true => self.text.push(character),
            false => self.is_cut = true,
        }
    }

    pub(crate) fn finish(mut self) -> String {
        if self.is_cut && self.text.try_reserve(CUT.len()).is_ok() {
            self.text.push_str(CUT);
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_line_without_control_characters() {
        for (written, text) in [
            ("plain  text", "plain  text"),
            ("one\r\n  two\n\nthree", "one two three"),
            ("\n begins and ends \n", "begins and ends "),
            ("tab\tstop\u{b}\u{c}x", "tab stop x"),
            ("next\u{85}line\u{2028}separator\u{2029}paragraph", "next line separator paragraph"),
            ("\u{1b}[31mred\u{7f}\0\u{9b}", "\u{fffd}[31mred\u{fffd}\u{fffd}\u{fffd}"),
            ("grüße 👋", "grüße 👋"),
        ] {
            assert_eq!(ServerText::of(written), text, "{written:?}");
        }
        assert_eq!(ServerText::of_bytes(b"a\xff\xfeb\xc3"), "a\u{fffd}\u{fffd}b\u{fffd}");
        let all: String = (0..=0x10_ffff).filter_map(char::from_u32).take(20_000).collect();
        assert!(!ServerText::of(&all).contains(|c: char| c.is_control() || "\u{2028}\u{2029}".contains(c)));
    }

    #[test]
    fn a_text_is_bounded() {
        for unit in ["x", "é", "👋", "\u{1}"] {
            let text = ServerText::of(&unit.repeat(MAX_BYTES));
            assert!(text.len() <= MAX_BYTES && text.len() > MAX_BYTES - 8 && text.ends_with(CUT), "{}", text.len());
        }
        let fits = "x".repeat(MAX_BYTES - CUT.len());
        assert_eq!(ServerText::of(&fits), fits);
    }
}
