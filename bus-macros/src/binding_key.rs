//! The grammar of binding keys and topics: words, wildcards and captures, and which word is the bad one.
//!
//! A binding key is a list of words with a dot between each two. A word is `*` (exactly one word), `#` (zero or more),
//! `{name}` (exactly one word, given to the argument of that name) or literal text.

use proc_macro2::Ident;
use syn::ext::IdentExt;
use syn::parse::Parser;

use crate::errors::patterns as texts;

/// The most bytes of a key: AMQP sends it as a short string.
const BYTES_MAX: usize = 255;

/// From how many `#` on a broker has trouble.
const HASHES_MAX: usize = 2;

/// A binding key that is well-formed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BindingKey {
    text: String,
    captures: Vec<String>,
}

impl BindingKey {
    /// Reads a binding key of `#[audit]` or `#[react]`.
    pub(crate) fn parse(text: &str, attribute: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err(texts::empty(attribute));
        }
        let what = "the binding key";
        check_text(what, text)?;
        let mut captures = Vec::new();
        let mut after_hash = false;
        for word in words(text) {
            word.check(what, text)?;
            if let Some(name) = word.capture(text)? {
                if captures.contains(&name) {
                    return Err(texts::capture_twice(&name, text));
                }
                if after_hash {
                    return Err(texts::capture_after_hash(&name, text));
                }
                captures.push(name);
            }
            after_hash |= word.text == "#";
        }
        Ok(Self { text: text.to_owned(), captures })
    }

    /// The key as it is written, captures and all.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The names in braces.
    pub(crate) fn captures(&self) -> &[String] {
        &self.captures
    }

    /// The key as the broker sees it, where a captured word is `*`.
    pub(crate) fn on_the_wire(&self) -> String {
        let words = self.text.split('.').map(|word| if word.starts_with('{') { "*" } else { word });
        words.collect::<Vec<_>>().join(".")
    }

    /// Whether it matches every routing key.
    pub(crate) fn is_everything(&self) -> bool {
        self.text == "#"
    }

    /// Whether a broker has trouble with so many `#`.
    pub(crate) fn has_many_hashes(&self) -> bool {
        self.text.split('.').filter(|word| *word == "#").count() > HASHES_MAX
    }
}

/// Checks the topic of a message, which is an exact routing key.
pub(crate) fn check_topic(text: &str) -> Result<(), String> {
    let what = "the topic";
    check_text(what, text)?;
    for word in words(text) {
        if word.text.contains(['{', '}']) {
            return Err(texts::topic_capture(word.text));
        }
        if word.text.contains(['*', '#']) {
            let start = &text[..word.at];
            return Err(texts::topic_wildcard(word.text, &format!("{start}#")));
        }
        word.check(what, text)?;
    }
    Ok(())
}

/// A word and where it begins, in bytes.
struct Word<'a> {
    text: &'a str,
    at: usize,
}

fn words(key: &str) -> impl Iterator<Item = Word<'_>> {
    let mut next = 0;
    key.split('.').map(move |text| {
        let at = next;
        next += text.len() + 1;
        Word { text, at }
    })
}

/// What must hold of the text as a whole.
fn check_text(what: &str, text: &str) -> Result<(), String> {
    if text.len() > BYTES_MAX {
        return Err(texts::too_long(what, &text.len()));
    }
    if let Some((at, character)) = text.chars().enumerate().find(|(_, character)| character.is_control()) {
        return Err(texts::control(what, &format!("{character:?}"), &(at + 1)));
    }
    if text.contains('/') {
        let words = text.split(['/', '.']).filter(|word| !word.is_empty());
        let words = words.map(|word| if word == "+" { "*" } else { word });
        return Err(texts::slash(what, &words.collect::<Vec<_>>().join(".")));
    }
    Ok(())
}

impl Word<'_> {
    /// What must hold of every word.
    fn check(&self, what: &str, key: &str) -> Result<(), String> {
        match self.text {
            "*" | "#" => Ok(()),
            "" => {
                let suggestion: Vec<_> = key.split('.').filter(|word| !word.is_empty()).collect();
                let suggestion = if suggestion.is_empty() { "#".to_owned() } else { suggestion.join(".") };
                // The caret stands under the dot that should not be there.
                let at = key[..self.at].chars().count().min(key.chars().count() - 1);
                Err(texts::empty_word(what, key, &(at + 1), &picture(key, at, 1), &suggestion))
            }
            ">" => Err(texts::foreign_wildcard(">", "a NATS", "#", &self.replaced(key, "#"))),
            "+" => Err(texts::foreign_wildcard("+", "an MQTT", "*", &self.replaced(key, "*"))),
            word if word.contains(['*', '#']) => {
                let wildcard = if word.contains('#') || word == "**" { "#" } else { "*" };
                let suggestion = self.replaced(key, wildcard);
                Err(texts::wildcard_in_word(word, &self.picture(key), &suggestion))
            }
            _ => Ok(()),
        }
    }

    /// The name inside the braces, if the word is a capture.
    fn capture(&self, key: &str) -> Result<Option<String>, String> {
        if !self.text.contains(['{', '}']) {
            return Ok(None);
        }
        let name = self.text.strip_prefix('{').and_then(|word| word.strip_suffix('}'));
        match name {
            Some(name) if is_argument_name(name) => Ok(Some(name.to_owned())),
            Some(name) if !name.contains(['{', '}']) => {
                Err(texts::capture_name(self.text, &self.picture(key)))
            }
            _ => Err(texts::capture_not_a_word(self.text, &self.picture(key))),
        }
    }

    /// The key with another word in place of this one.
    fn replaced(&self, key: &str, word: &str) -> String {
        format!("{}{word}{}", &key[..self.at], &key[self.at + self.text.len()..])
    }

    /// The key with carets under this word.
    fn picture(&self, key: &str) -> String {
        picture(key, key[..self.at].chars().count(), self.text.chars().count())
    }
}

/// A string literal cannot be underlined in part on stable Rust, so the carets stand in the message.
fn picture(key: &str, before: usize, carets: usize) -> String {
    format!("    {key}\n    {}{}", " ".repeat(before), "^".repeat(carets))
}

fn is_argument_name(name: &str) -> bool {
    let parsed = Ident::parse_any.parse_str(name);
    parsed.is_ok_and(|ident| ident == name && !["_", "self", "Self", "super", "crate"].contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captures(key: &str) -> Vec<String> {
        BindingKey::parse(key, "react").unwrap().captures
    }

    fn problem(key: &str) -> String {
        BindingKey::parse(key, "react").unwrap_err()
    }

    #[test]
    fn what_is_a_binding_key() {
        for key in [
            "#",
            "*",
            "wiki",
            "wiki.#",
            "#.saved",
            "wiki.*.saved",
            "a.#.b.#",
            "wiki.page-1_x",
            "Ünï.cødé",
            "a b.c",
        ] {
            assert!(captures(key).is_empty(), "{key}");
        }
        assert!(captures(&"x".repeat(255)).is_empty());
    }

    #[test]
    fn captures_are_words_in_braces() {
        assert_eq!(captures("wiki.{page}.edited"), ["page"]);
        assert_eq!(captures("{project}.wiki.{page}.#"), ["project", "page"]);
        assert_eq!(captures("wiki.{type}"), ["type"]);
        let key = BindingKey::parse("{a}.x.{b}.#", "react").unwrap();
        assert_eq!(key.on_the_wire(), "*.x.*.#");
        assert_eq!(key.text(), "{a}.x.{b}.#");
    }

    #[test]
    fn the_first_line_names_the_problem() {
        for (key, fact) in [
            ("", "an empty binding key"),
            ("wiki.page*", "a wildcard must be a whole word: `page*`"),
            ("wiki.##", "a wildcard must be a whole word: `##`"),
            ("#x", "a wildcard must be a whole word: `#x`"),
            ("a..b", "empty word in the binding key `a..b`, at position 3"),
            (".a", "empty word in the binding key `.a`, at position 1"),
            ("a.", "empty word in the binding key `a.`, at position 2"),
            (".", "empty word in the binding key `.`, at position 1"),
            ("wiki/+/x", "`/` does not separate the words of the binding key"),
            ("wiki.>", "`>` is a NATS wildcard"),
            ("wiki.+.x", "`+` is an MQTT wildcard"),
            ("a\0b", "the binding key holds the control character '\\0' at position 2"),
            ("wiki.{}", "`{}` does not name an argument"),
            ("wiki.{a-b}", "`{a-b}` does not name an argument"),
            ("wiki.{_}", "`{_}` does not name an argument"),
            ("wiki.{self}", "`{self}` does not name an argument"),
            ("wiki.{ page }", "`{ page }` does not name an argument"),
            ("wiki.x{page}", "a capture must be a whole word: `x{page}`"),
            ("wiki.{page", "a capture must be a whole word: `{page`"),
            ("wiki.{{page}}", "a capture must be a whole word: `{{page}}`"),
            ("{a}.{a}", "`{a}` is captured twice"),
            ("#.{a}", "`{a}` stands after a `#`"),
        ] {
            assert!(problem(key).starts_with(fact), "{key}: {}", problem(key));
        }
        assert!(problem(&"x".repeat(256)).starts_with("the binding key is 256 bytes"));
    }

    #[test]
    fn the_last_line_is_the_way_out() {
        for (key, help) in [
            ("wiki.page*.x", "\"wiki.*.x\""),
            ("wiki.a#b", "\"wiki.#\""),
            ("wiki.**", "\"wiki.#\""),
            ("a..b", "\"a.b\"?"),
            ("...", "\"#\"?"),
            ("wiki/+/x", "\"wiki.*.x\""),
            ("wiki.>", "\"wiki.#\""),
        ] {
            assert!(problem(key).ends_with(help), "{key}: {}", problem(key));
        }
    }

    #[test]
    fn carets_stand_under_the_bad_word() {
        assert!(problem("wïki.page*").contains("    wïki.page*\n         ^^^^^\n"));
        assert!(problem("wiki..edited").contains("    wiki..edited\n         ^\n"));
    }

    #[test]
    fn a_topic_is_exact() {
        for topic in ["user.created", "user", "a-b.c_d"] {
            assert_eq!(check_topic(topic), Ok(()));
        }
        for topic in ["user.*", "user.#", "user.x*", "user.{id}", "user..x", "a/b", "user.", "x\n", ">"] {
            assert!(check_topic(topic).is_err(), "{topic}");
        }
        assert!(check_topic("order.#").unwrap_err().ends_with("#[react(\"order.#\")]"));
    }

    #[test]
    fn many_hashes_are_trouble() {
        let many = |key| BindingKey::parse(key, "react").unwrap().has_many_hashes();
        assert!(!many("#.a.#"));
        assert!(many("#.a.#.b.#"));
    }
}
