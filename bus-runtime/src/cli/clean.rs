//! What others wrote, made harmless for terminals, tables and logs: a message must not be able to forge a line or to turn one around.

use std::borrow::Cow;
use std::io::{self, Write};

use super::LogFormat;

/// Characters that end a line, move the cursor or turn the direction of text, written as their code.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    escaped(text, is_harmful, |character| character.escape_unicode().to_string())
}

fn is_harmful(character: char) -> bool {
    character.is_control() || turns(character)
}

/// Marks and overrides of direction, and the separators that only Unicode takes for the end of a line.
fn turns(character: char) -> bool {
    matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn escaped(text: &str, harmful: impl Fn(char) -> bool, code: impl Fn(char) -> String) -> Cow<'_, str> {
    if !text.chars().any(&harmful) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if harmful(character) {
            clean.push_str(&code(character));
        } else {
            clean.push(character);
        }
    }
    Cow::Owned(clean)
}

/// One event of the log as it may be written. Colours are ours: the formatter has escaped those of others already.
fn event(text: &str, format: LogFormat, colours: bool) -> Cow<'_, str> {
    let is_ours = |character| match (format, character) {
        (LogFormat::Pretty, '\n') => true,
        (_, '\u{1b}') => colours,
        _ => false,
    };
    match format {
        // Control characters are escaped in JSON by themselves.
        LogFormat::Json => escaped(text, turns, |character| format!("\\u{:04x}", u32::from(character))),
        LogFormat::Pretty | LogFormat::Compact => escaped(
            text,
            |character| is_harmful(character) && !is_ours(character),
            |character| character.escape_unicode().to_string(),
        ),
    }
}

/// Writes events of the log, each of which comes as one piece.
pub(super) struct CleanWriter<W> {
    pub(super) to: W,
    pub(super) format: LogFormat,
    pub(super) colours: bool,
}

impl<W: Write> Write for CleanWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let (line, end) = text.strip_suffix('\n').map_or((&*text, ""), |line| (line, "\n"));
        let clean = format!("{}{end}", event(line, self.format, self.colours));
        self.to.write_all(clean.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_forge_a_line_is_written_as_its_code() {
        let table = [
            ("wiki.page", "wiki.page"),
            ("Größe 漢字 🦀", "Größe 漢字 🦀"),
            ("a\nINFO forged", "a\\u{a}INFO forged"),
            ("a\u{1b}[2Jb\r", "a\\u{1b}[2Jb\\u{d}"),
            ("exe.\u{202e}txt", "exe.\\u{202e}txt"),
        ];
        for (text, wanted) in table {
            assert_eq!(clean(text), wanted);
        }
    }

    #[test]
    fn an_event_stays_one_line() {
        let written = |text: &str, format| {
            let mut to = Vec::new();
            CleanWriter { to: &mut to, format, colours: false }.write_all(text.as_bytes()).unwrap();
            String::from_utf8(to).unwrap()
        };
        assert_eq!(written("a\nb\u{1b}[1m\n", LogFormat::Compact), "a\\u{a}b\\u{1b}[1m\n");
        assert_eq!(written("a\nb\u{202e}\n", LogFormat::Pretty), "a\nb\\u{202e}\n");
        assert_eq!(written("{\"a\":\"\\n\u{202e}\"}\n", LogFormat::Json), "{\"a\":\"\\n\\u202e\"}\n");
    }
}
