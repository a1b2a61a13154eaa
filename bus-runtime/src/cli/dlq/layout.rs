//! JSON laid out for people and back, and how two texts differ. What is in a text stays as it is, its numbers and the order of its
//! fields included.

/// A valid JSON document with each field on a line of its own.
pub(super) fn laid_out(json: &str) -> String {
    let mut text = String::new();
    let (mut depth, mut before) = (0_usize, ' ');
    for character in characters(json) {
        let (character, is_quoted) = character;
        if is_quoted {
            open(&mut text, before, depth);
            text.push(character);
            before = '"';
            continue;
        }
        match character {
            ' ' | '\n' | '\r' | '\t' => continue,
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                if !matches!(before, '{' | '[') {
                    line(&mut text, depth);
                }
                text.push(character);
            }
            _ => {
                open(&mut text, before, depth);
                text.push(character);
                if character == ':' {
                    text.push(' ');
                }
                depth += usize::from(matches!(character, '{' | '['));
            }
        }
        before = character;
    }
    text
}

/// Begins a line where the character before asks for one.
fn open(text: &mut String, before: char, depth: usize) {
    if matches!(before, '{' | '[' | ',') {
        line(text, depth);
    }
}

fn line(text: &mut String, depth: usize) {
    text.push('\n');
    text.extend(std::iter::repeat_n("  ", depth));
}

/// A valid JSON document without what only people need.
pub(super) fn compact(json: &str) -> String {
    let is_kept = |(character, is_quoted): &(char, bool)| *is_quoted || !character.is_ascii_whitespace();
    characters(json).filter(is_kept).map(|(character, _)| character).collect()
}

/// Each character, and whether it belongs to a string.
fn characters(json: &str) -> impl Iterator<Item = (char, bool)> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    json.chars().map(move |character| {
        let was_quoted = is_quoted;
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ => {}
        }
        (character, was_quoted || is_quoted)
    })
}

/// Lines around a difference that stay as they are, and are shown.
const AROUND: usize = 2;

/// What makes the one text the other: `-` before what goes, `+` before what comes; nothing when they are equal.
pub(super) fn difference(before: &str, after: &str) -> String {
    let (before, after): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    if before == after {
        return String::new();
    }
    let first = before.iter().zip(&after).take_while(|(one, other)| one == other).count();
    let (rest, other_rest) =
        (before.get(first..).unwrap_or_default(), after.get(first..).unwrap_or_default());
    let last = rest.iter().rev().zip(other_rest.iter().rev()).take_while(|(one, other)| one == other).count();
    let shown =
        |sign: char, lines: &[&str]| lines.iter().map(|line| format!("{sign} {line}\n")).collect::<String>();
    let part = |lines: &[&str]| lines.len() - last;
    let head = before.get(first.saturating_sub(AROUND)..first).unwrap_or_default();
    let tail = rest.get(part(rest)..).unwrap_or_default();
    [
        shown(' ', head),
        shown('-', rest.get(..part(rest)).unwrap_or_default()),
        shown('+', other_rest.get(..part(other_rest)).unwrap_or_default()),
        shown(' ', tail.get(..AROUND.min(tail.len())).unwrap_or_default()),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_document_changes() {
        let json = r#"{"z":[1,{}],"big":12345678901234567890123,"text":"a \" b, {c}","a":[]}"#;
        let shown = laid_out(json);
        assert_eq!(
            shown,
            "{\n  \"z\": [\n    1,\n    {}\n  ],\n  \"big\": 12345678901234567890123,\n  \"text\": \"a \\\" b, {c}\",\n  \"a\": []\n}"
        );
        assert_eq!(compact(&shown), json);
        for one in ["1", "\"a b\"", "null", "[]", "{}", "[[]]"] {
            assert_eq!(compact(&laid_out(one)), one);
        }
    }

    #[test]
    fn a_difference_shows_what_is_around_it() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), "");
        assert_eq!(
            difference("1\n2\n3\nold\n4\n5\n6", "1\n2\n3\nnew\n4\n5\n6"),
            "  2\n  3\n- old\n+ new\n  4\n  5\n"
        );
        assert_eq!(difference("a\na\n", "a\na\na\n"), "  a\n  a\n+ a\n");
    }
}
