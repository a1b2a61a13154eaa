//! The pattern on a binding, and whether a routing key matches it: exactly the rules of a RabbitMQ topic exchange.

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
/// - The whole routing key must match, from its first word to its last: `wiki` does not match `wiki.page`, and `wiki.#`
///   does not match `wikis`.
/// - A wildcard is a whole word. In `page*` and `a#b` the signs have no meaning: such a word matches its own text only.
///   There is no way to escape a wildcard: no binding key asks for the word `*` and for nothing else.
/// - A word may be empty. `a..b` has three words, the second of them empty; `wiki.` has two; `.` has two empty ones. An
///   empty word is a word: `wiki.*` matches `wiki.`, but not `wiki`.
/// - An empty key has no word at all. So the empty binding key matches the empty routing key only, `#` matches it too,
///   and `*` does not.
/// - `#` may stand anywhere and more than once. `a.#.b` matches `a.b`, `a.x.b` and `a.x.y.b`; `#.#` is the same as `#`;
///   `*.#` asks for at least one word.
/// - Words are compared byte for byte: `Wiki` is not `wiki`, and no Unicode normalisation takes place. A word is any
///   UTF-8 text without a dot.
/// - In a *routing* key, `*` and `#` are words like all others: `wiki.*` matches the routing key `wiki.#`.
/// - A binding key has at most 255 bytes.
///
/// # Cost
///
/// Matching takes at most (words of the binding key) x (words of the routing key) comparisons, whatever the binding key,
/// and does not allocate. Beware that a RabbitMQ server is not so kind: up to version 4.2 the time grows exponentially
/// with the number of `#`, and later versions refuse a binding key with more than two.
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
                // The last `#` takes one word more. An earlier `#` need not try: what it could take, the last one can
                // take as well. So there is only ever one place to go back to, and that bounds the time.
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
    /// assert_eq!(why("wiki.edited", "wiki.saved"), "word 2 must be `edited`, but the routing key has `saved`");
    /// assert_eq!(why("user", "user.created"), "the binding key needs exactly 1 word, but the routing key has 2");
    /// assert_eq!(why("#.saved", "wiki.page"), "the last word must be `saved`, but the routing key has `page`");
    /// assert_eq!(why("a.#.x.*.#", "a.b.c"), "`x.*` must stand after word 1, but the routing key does not have it there");
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

    /// The words of the binding key. An empty one has none; two dots in a row have an empty word between them.
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
