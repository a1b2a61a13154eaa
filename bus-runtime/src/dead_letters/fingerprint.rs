//! What errors of one kind have in common: their text without what is another one with every message.

/// How many characters of the hash name a group: there are few groups, and their names are typed.
pub(super) const CHARS: usize = 8;
/// How much of an error's text counts.
const TEXT_MAX: usize = 400;

/// The text with every number, id and quoted word replaced: `no page "home" (id 42)` becomes `no page … (id #)`.
pub(super) fn normalised(error: &str) -> String {
    let mut text = String::new();
    let mut before = ' ';
    let mut rest = error.chars().take(TEXT_MAX).peekable();
    while let Some(one) = rest.next() {
        if (one == '"' || one == '\'') && !before.is_alphanumeric() {
            while rest.next_if(|next| *next != one).is_some() {}
            rest.next();
            text.push('…');
        } else if one.is_alphanumeric() {
            let mut word = String::from(one);
            while let Some(next) = rest.next_if(|next| next.is_alphanumeric() || *next == '-') {
                word.push(next);
            }
            text.push_str(if is_different_each_time(&word) { "#" } else { &word });
        } else if one.is_whitespace() {
            if !text.ends_with(' ') {
                text.push(' ');
            }
        } else {
            text.push(one);
        }
        before = one;
    }
    text.trim().to_owned()
}

/// The name of what errors of one kind have in common.
#[cfg(feature = "dashboard")]
pub(crate) fn of(what: &[&str], error: &str) -> String {
    let text = format!("{}\n{}", what.join("\n"), normalised(error));
    super::letter::short_hash(text.as_bytes(), CHARS)
}

/// Numbers, ids in hexadecimal, and names that end with a number.
fn is_different_each_time(word: &str) -> bool {
    word.chars().any(|one| one.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_one_kind_look_alike() {
        let table = [
            ("no page \"home\" (id 42)", "no page … (id #)"),
            ("no page 'a b'", "no page …"),
            ("can't decode the body at line 1 column 2", "can't decode the body at line # column #"),
            ("user 018f3a2b-77aa-7c00-8000-000000000001 is gone", "user # is gone"),
            ("timed  out\nafter 30s", "timed out after #"),
            ("\"never closed", "…"),
            ("", ""),
        ];
        for (text, wanted) in table {
            assert_eq!(normalised(text), wanted, "{text}");
        }
        assert!(normalised(&"ä".repeat(10_000)).chars().count() <= TEXT_MAX);
    }
}
