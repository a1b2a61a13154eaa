//! The pattern on a binding, and whether a routing key matches it, by the rules of RabbitMQ's topic exchange.

use std::{borrow::Borrow, fmt, iter::FusedIterator, sync::Arc};

mod explain;

pub use self::explain::Mismatch;
use crate::names::{NAME_BYTES_MAX, Words, excerpt, short_string};

/// The pattern on a binding, such as `wiki.#`: it says which routing keys reach a queue.
///
/// # Syntax
///
/// A binding key and a routing key are both lists of **words** with a dot between each two.
///
/// | word in the binding key | matches in the routing key               |
/// |-------------------------|------------------------------------------|
/// | `*`                     | exactly one word, whatever it is         |
/// | `#`                     | zero or more words, whatever they are    |
/// | anything else           | exactly this word                        |
///
/// - The whole routing key must match, from its first word to its last: `wiki` does not match `wiki.page`,
///   and `wiki.#` does not match `wikis`.
/// - A wildcard is a whole word. In `page*` and `a#b` the signs have no meaning: such a word matches its own
///   text only. There is no way to escape a wildcard: no binding key asks for the word `*` and for nothing
///   else.
/// - A word may be empty. `a..b` has three words, the second of them empty; `wiki.` has two; `.` has two
///   empty ones. An empty word is a word: `wiki.*` matches `wiki.`, but not `wiki`.
/// - An empty key has no word at all. So the empty binding key matches the empty routing key only, `#`
///   matches it too, and `*` does not.
/// - `#` may stand anywhere and more than once. `a.#.b` matches `a.b`, `a.x.b` and `a.x.y.b`; `#.#` is the
///   same as `#`; `*.#` asks for at least one word.
/// - Words are compared byte for byte: `Wiki` is not `wiki`, and no Unicode normalisation takes place. A word
///   is any UTF-8 text without a dot.
/// - In a *routing* key, `*` and `#` are words like all others: `wiki.*` matches the routing key `wiki.#`.
/// - A binding key has at most 255 bytes.
///
/// # Cost
///
/// Matching takes at most (words of the binding key) x (words of the routing key) comparisons, whatever the
/// binding key, and does not allocate. A RabbitMQ server is not so kind: 3.10 takes exponential time for many
/// `#` in one binding key, and 4.3 refuses more than two.
///
/// # Examples
///
/// ```
/// use bus_runtime::BindingKey;
///
/// let pages = BindingKey::parse("wiki.*.saved")?;
/// assert!(pages.matches("wiki.page.saved"));
/// assert!(!pages.matches("wiki.saved"));
///
/// let wiki = BindingKey::parse("wiki.#")?;
/// assert!(wiki.matches("wiki"));
/// assert!(wiki.matches("wiki.page.saved"));
/// assert!(!wiki.matches("wikis"));
/// # Ok::<(), bus_runtime::BindingKeyError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BindingKey(Arc<str>);

impl BindingKey {
    /// Whether a message with this routing key passes the binding.
    ///
    /// ```
    /// use bus_runtime::BindingKey;
    ///
    /// let everything = BindingKey::parse("#")?;
    /// assert!(everything.matches("") && everything.matches("wiki.page"));
    /// # Ok::<(), bus_runtime::BindingKeyError>(())
    /// ```
    pub fn matches(&self, routing_key: &str) -> bool {
        // Its own text passes every key: `*` and `#` take themselves as words. Most keys have no wildcard.
        if *self.0 == *routing_key {
            return true;
        }
        let mut pattern = self.words();
        let mut key = Words::of(routing_key);
        // What follows the last `#` met, and what is left of the key after the words which that `#` takes.
        let mut last_hash = None;
        loop {
            let wanted = pattern.next();
            if wanted == Some(BindingWord::ZeroOrMore) {
                last_hash = Some((pattern.clone(), key.clone()));
                continue;
            }
            match (wanted, key.next()) {
                (None, None) => return true,
                (Some(wanted), Some(word)) if wanted.accepts(word) => {}
                // More words are needed than are left, and a `#` that takes more would leave even fewer.
                (Some(_), None) => return false,
                // The last `#` takes one word more. An earlier `#` need not try: what it could take, the last
                // one can take as well. So there is only ever one place to go back to, and that bounds the
                // time.
                (_, Some(_)) => {
                    let Some((rest, from)) = &mut last_hash else { return false };
                    from.next();
                    (pattern, key) = (rest.clone(), from.clone());
                }
            }
        }
    }

    /// Why a routing key does not match, in words, for a person who expected that it would.
    ///
    /// # Errors
    ///
    /// The first reason found, exactly when [`matches`](Self::matches) says `false`.
    ///
    /// ```
    /// use bus_runtime::BindingKey;
    ///
    /// let why = |pattern, key| BindingKey::parse(pattern).unwrap().explain(key).unwrap_err().to_string();
    /// assert_eq!(
    ///     why("wiki.edited", "wiki.saved"),
    ///     "word 2 must be `edited`, but the routing key has `saved`"
    /// );
    /// assert_eq!(
    ///     why("user", "user.created"),
    ///     "the binding key needs exactly 1 word, but the routing key has 2"
    /// );
    /// assert_eq!(
    ///     why("a.#.x.*.#", "a.b.c"),
    ///     "`x.*` must stand after word 1, but the routing key does not have it there"
    /// );
    /// assert!(BindingKey::parse("wiki.#")?.explain("wiki.page").is_ok());
    /// # Ok::<(), bus_runtime::BindingKeyError>(())
    /// ```
    pub fn explain(&self, routing_key: &str) -> Result<(), Mismatch> {
        explain::explain(self, routing_key)
    }

    /// Whether no word is a wildcard, so that exactly one routing key matches: the one with the same text.
    ///
    /// ```
    /// use bus_runtime::BindingKey;
    ///
    /// assert!(BindingKey::parse("wiki.page*")?.is_literal());
    /// assert!(!BindingKey::parse("wiki.*")?.is_literal());
    /// # Ok::<(), bus_runtime::BindingKeyError>(())
    /// ```
    pub fn is_literal(&self) -> bool {
        self.words().all(|word| matches!(word, BindingWord::Literal(_)))
    }

    /// The words. An empty binding key has none; two dots in a row have an empty word between them.
    ///
    /// ```
    /// use bus_runtime::{binding_key::BindingWord, BindingKey};
    ///
    /// let key = BindingKey::parse("wiki.*.#")?;
    /// let words: Vec<_> = key.words().collect();
    /// assert_eq!(words, [BindingWord::Literal("wiki"), BindingWord::ExactlyOne, BindingWord::ZeroOrMore]);
    /// # Ok::<(), bus_runtime::BindingKeyError>(())
    /// ```
    pub fn words(&self) -> BindingWords<'_> {
        BindingWords { words: Words::of(&self.0) }
    }

    fn check(text: &str) -> Result<(), BindingKeyError> {
        if text.len() <= NAME_BYTES_MAX {
            return Ok(());
        }
        Err(BindingKeyError::TooLong { length: text.len(), start: excerpt(text) })
    }
}

short_string!(BindingKey::parse, BindingKeyError, Self::check);

/// Why a text is no binding key.
///
/// ```
/// use bus_runtime::{BindingKey, BindingKeyError};
///
/// let error = BindingKey::parse("w.".repeat(150)).unwrap_err();
/// assert!(matches!(error, BindingKeyError::TooLong { length: 300, .. }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BindingKeyError {
    /// It has more than [`NAME_BYTES_MAX`] bytes.
    #[error("a binding key has at most {NAME_BYTES_MAX} bytes, but this one has {length}: {start:?}..")]
    TooLong {
        /// How many bytes the text has.
        length: usize,
        /// The beginning of the text.
        start: String,
    },
}

/// One word of a binding key.
///
/// ```
/// use bus_runtime::{binding_key::BindingWord, BindingKey};
///
/// let key = BindingKey::parse("#.page.#")?;
/// assert_eq!(key.words().filter(|word| *word == BindingWord::ZeroOrMore).count(), 2);
/// # Ok::<(), bus_runtime::BindingKeyError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BindingWord<'a> {
    /// Matches exactly this word.
    Literal(&'a str),
    /// `*`: matches exactly one word.
    ExactlyOne,
    /// `#`: matches zero or more words.
    ZeroOrMore,
}

impl<'a> BindingWord<'a> {
    fn of(word: &'a str) -> Self {
        match word {
            "*" => Self::ExactlyOne,
            "#" => Self::ZeroOrMore,
            literal => Self::Literal(literal),
        }
    }

    /// Whether this one word of a routing key can stand here.
    fn accepts(self, word: &str) -> bool {
        match self {
            Self::Literal(literal) => literal == word,
            Self::ExactlyOne | Self::ZeroOrMore => true,
        }
    }
}

impl fmt::Display for BindingWord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Literal(literal) => literal,
            Self::ExactlyOne => "*",
            Self::ZeroOrMore => "#",
        })
    }
}

/// The words of a binding key, from [`BindingKey::words`].
///
/// ```
/// use bus_runtime::BindingKey;
///
/// let key = BindingKey::parse("wiki.*")?;
/// assert_eq!(key.words().map(|word| word.to_string()).collect::<Vec<_>>(), ["wiki", "*"]);
/// # Ok::<(), bus_runtime::BindingKeyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct BindingWords<'a> {
    words: Words<'a>,
}

impl<'a> Iterator for BindingWords<'a> {
    type Item = BindingWord<'a>;

    fn next(&mut self) -> Option<BindingWord<'a>> {
        self.words.next().map(BindingWord::of)
    }
}

impl FusedIterator for BindingWords<'_> {}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(text: &str) -> BindingKey {
        BindingKey::parse(text).unwrap()
    }

    /// The rules as one would write them down, exponential and obviously right.
    pub(crate) fn reference(pattern: &[&str], words: &[&str]) -> bool {
        match (pattern, words) {
            ([], words) => words.is_empty(),
            (["#", rest @ ..], words) => (0..=words.len()).any(|taken| reference(rest, &words[taken..])),
            (["*", rest @ ..], [_, words @ ..]) => reference(rest, words),
            ([literal, rest @ ..], [word, words @ ..]) => literal == word && reference(rest, words),
            (_, []) => false,
        }
    }

    /// Every text of at most four words from `alphabet`, the empty text included.
    pub(crate) fn texts_of(alphabet: &[&str]) -> Vec<String> {
        let mut lists: Vec<Vec<&str>> = vec![vec![]];
        let mut shorter = 0;
        for _ in 0..4 {
            let longer: Vec<_> = lists[shorter..]
                .iter()
                .flat_map(|list| alphabet.iter().map(|word| [list.as_slice(), &[*word]].concat()))
                .collect();
            shorter = lists.len();
            lists.extend(longer);
        }
        // One empty word is no text: the empty text has no words.
        lists.into_iter().filter(|list| *list != [""]).map(|list| list.join(".")).collect()
    }

    /// Up to eight words: common ones, so that there are matches; empty ones; wildcards; and any text without
    /// a dot.
    pub(crate) fn any_text() -> impl Strategy<Value = String> {
        let common = prop::sample::select(vec!["a", "b", "", "*", "#", "a*", "wiki", "größe", "日本"]);
        let word = prop_oneof![8 => common.prop_map(String::from), 1 => "[^.]{0,3}"];
        prop::collection::vec(word, 0..8).prop_map(|words| words.join("."))
    }

    fn check(pattern: &str, routing_key: &str, expected: bool) {
        assert_eq!(key(pattern).matches(routing_key), expected, "`{pattern}` and `{routing_key}`");
        let explained = key(pattern).explain(routing_key);
        assert_eq!(explained.is_ok(), expected, "`{pattern}` and `{routing_key}`: {explained:?}");
    }

    #[test]
    fn t1_the_matrix() {
        for (pattern, routing_key, expected) in [
            ("wiki.#", "wiki", true),
            ("wiki.#", "wiki.a", true),
            ("wiki.#", "wiki.a.b", true),
            ("wiki.#", "wikis", false),
            ("#", "", true),
            ("#", "a.b", true),
            ("*", "a-b", true),
            ("*", "a.b", false),
            ("*", "", false),
            ("wiki.*", "wiki.", true),
            ("a.*.c", "a.b.c", true),
            ("#.c", "c", true),
            ("a.#.b", "a.b", true),
            ("a.#.b", "a.x.y.b", true),
            ("*.#", "a", true),
            ("wiki.*", "wiki", false),
            // Case-sensitive, whole string, hyphens and Unicode in words.
            ("wiki.page", "Wiki.page", false),
            ("wiki", "wiki.page", false),
            ("page", "wiki.page", false),
            ("wiki-page.*", "wiki-page.saved", true),
            ("größe.*", "größe.日本", true),
            // The same letter, once composed and once not.
            ("gr\u{f6}\u{df}e", "gro\u{308}\u{df}e", false),
        ] {
            check(pattern, routing_key, expected);
        }
    }

    #[test]
    fn the_empty_binding_key_matches_the_empty_routing_key_only() {
        check("", "", true);
        check("", ".", false);
        check("", "a", false);
        check("*.#", "", false);
        check(".", "", false);
    }

    #[test]
    fn an_empty_word_is_a_word() {
        check("a..b", "a..b", true);
        check("a.*.b", "a..b", true);
        check("a.b", "a..b", false);
        check("*.*", ".", true);
        check("wiki.", "wiki", false);
    }

    #[test]
    fn a_wildcard_inside_a_word_is_text() {
        check("page*", "page*", true);
        check("page*", "pages", false);
        check("a#.b", "a#.b", true);
        check("a#.b", "a.x.b", false);
        check("**", "a", false);
        check("##", "a.b", false);
    }

    #[test]
    fn t3_wildcards_in_a_routing_key_are_text() {
        check("wiki.page", "wiki.*", false);
        check("wiki.page", "#", false);
        check("wiki.*", "wiki.#", true);
        check("#", "#.*", true);
        check("user", "user.created", false);
        check("user.#", "user.created", true);
    }

    #[test]
    fn a_hash_goes_back_as_far_as_it_must() {
        check("#.a.b", "a.a.b", true);
        check("#.a.b.#.c", "a.a.b.b.c.c", true);
        check("#.a.#.a.#", "b.a.b", false);
        check("a.#.*.b", "a.b", false);
        check("a.#.*.b", "a.x.b", true);
        check("#.#.#", "", true);
    }

    #[test]
    fn agrees_with_the_reference_on_all_short_texts() {
        let routing_keys = texts_of(&["a", "b", ""]);
        for pattern in texts_of(&["a", "b", "*", "#"]) {
            let binding_key = key(&pattern);
            let pattern: Vec<_> = Words::of(&pattern).collect();
            for routing_key in &routing_keys {
                let words: Vec<_> = Words::of(routing_key).collect();
                let expected = reference(&pattern, &words);
                assert_eq!(binding_key.matches(routing_key), expected, "{binding_key:?} and {routing_key:?}");
                assert_eq!(
                    binding_key.explain(routing_key).is_ok(),
                    expected,
                    "{binding_key:?} and {routing_key:?}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_reference_on_random_texts(pattern in any_text(), routing_key in any_text()) {
            let binding_key = key(&pattern);
            let pattern: Vec<_> = Words::of(&pattern).collect();
            let words: Vec<_> = Words::of(&routing_key).collect();
            let expected = reference(&pattern, &words);
            prop_assert_eq!(binding_key.matches(&routing_key), expected);
            prop_assert_eq!(binding_key.explain(&routing_key).is_ok(), expected);
        }

        #[test]
        fn a_literal_binding_key_matches_itself_only(text in any_text(), other in any_text()) {
            let binding_key = key(&text);
            prop_assert!(binding_key.matches(&text));
            prop_assert!(!binding_key.is_literal() || binding_key.matches(&other) == (text == other));
        }
    }

    /// An exponential matcher does not come back from this one in our lifetime.
    #[test]
    fn many_hashes_do_not_explode() {
        let routing_key = vec!["a"; 120].join(".");
        for hashes in [10, 62] {
            let pattern = key(&format!("{}b", "#.a.".repeat(hashes)));
            assert!(!pattern.matches(&routing_key));
            assert!(pattern.matches(&format!("{routing_key}.b")));
            assert!(pattern.explain(&routing_key).is_err());
        }
        let pattern = key(&format!("#.{}b.#", "a.".repeat(60)));
        assert!(!pattern.matches(&vec!["a"; 10_000].join(".")));
    }

    #[test]
    fn only_the_length_can_be_wrong() {
        assert!(BindingKey::parse("w".repeat(255)).is_ok());
        assert_eq!(
            BindingKey::parse("w".repeat(256)).unwrap_err().to_string(),
            "a binding key has at most 255 bytes, but this one has 256: \"wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww\".."
        );
        assert_eq!(serde_json::to_string(&key("wiki.#")).unwrap(), "\"wiki.#\"");
        assert_eq!("a.*".parse::<BindingKey>().unwrap().to_string(), "a.*");
    }
}
