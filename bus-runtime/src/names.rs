//! The names that travel on the wire: routing keys, exchange names and queue names, each checked once.

use std::{borrow::Borrow, fmt, iter::FusedIterator, ops::Deref, sync::Arc};

/// The most bytes a name may have: AMQP 0-9-1 sends names as short strings, whose length is one byte.
///
/// ```
/// use bus_runtime::{names::NAME_BYTES_MAX, RoutingKey};
///
/// assert!(RoutingKey::new("k".repeat(NAME_BYTES_MAX)).is_ok());
/// assert!(RoutingKey::new("k".repeat(NAME_BYTES_MAX + 1)).is_err());
/// ```
pub const NAME_BYTES_MAX: usize = 255;

/// How much of a name that is too long an error shows: enough to recognise it in the code.
const EXCERPT_CHARS_MAX: usize = 32;

/// The concrete key on a message, such as `wiki.page.saved`.
///
/// A routing key is a list of words with a dot between each two. Any UTF-8 text of at most 255 bytes is one,
/// the empty text and control characters included. `*` and `#` have no meaning in it: wildcards belong to a
/// [`BindingKey`].
///
/// A clone shares the text.
///
/// ```
/// use bus_runtime::RoutingKey;
///
/// let key = RoutingKey::new("wiki.page.saved")?;
/// assert_eq!(key, "wiki.page.saved");
/// assert!(key.starts_with("wiki."));
/// assert!(RoutingKey::new("x".repeat(256)).is_err());
/// # Ok::<(), bus_runtime::NameError>(())
/// ```
///
/// [`BindingKey`]: crate::BindingKey
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoutingKey(Arc<str>);

impl RoutingKey {
    /// The words of the key. An empty key has none; two dots in a row have an empty word between them.
    ///
    /// ```
    /// use bus_runtime::RoutingKey;
    ///
    /// let words = |key| RoutingKey::new(key).unwrap().words().map(String::from).collect::<Vec<_>>();
    /// assert_eq!(words("wiki.page"), ["wiki", "page"]);
    /// assert_eq!(words("a..b"), ["a", "", "b"]);
    /// assert_eq!(words("wiki."), ["wiki", ""]);
    /// assert!(words("").is_empty());
    /// ```
    pub fn words(&self) -> Words<'_> {
        Words::of(&self.0)
    }
}

/// The name of an exchange.
///
/// At most 255 bytes of UTF-8 without NUL, carriage return and line feed: RabbitMQ removes line ends from the
/// name it is asked to declare, and the exchange would then have another name than the one that everybody
/// publishes to. It takes a NUL, but no command line can pass such a name to its tools.
///
/// A clone shares the text.
///
/// ```
/// use bus_runtime::ExchangeName;
///
/// let audit = ExchangeName::new("audit")?;
/// assert_eq!(audit.to_string(), "audit");
/// assert!(!audit.is_default());
/// # Ok::<(), bus_runtime::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeName(Arc<str>);

impl ExchangeName {
    /// The default exchange, whose name is empty: it hands a message to the queue that the routing key names.
    ///
    /// ```
    /// use bus_runtime::ExchangeName;
    ///
    /// assert_eq!(ExchangeName::default_exchange(), "");
    /// ```
    pub fn default_exchange() -> Self {
        Self(Arc::from(""))
    }

    /// Whether this is the default exchange.
    ///
    /// ```
    /// use bus_runtime::ExchangeName;
    ///
    /// assert!(ExchangeName::default_exchange().is_default());
    /// assert!(!ExchangeName::new("react")?.is_default());
    /// # Ok::<(), bus_runtime::NameError>(())
    /// ```
    pub fn is_default(&self) -> bool {
        self.0.is_empty()
    }
}

/// The name of a queue.
///
/// At most 255 bytes of UTF-8 without NUL, carriage return and line feed, for the same reason as in an
/// [`ExchangeName`]. An empty queue name is legal: in a declaration it asks the broker to choose a name.
///
/// A clone shares the text.
///
/// ```
/// use bus_runtime::QueueName;
///
/// let queue = QueueName::new("forge.wiki::index_page.react")?;
/// assert_eq!(queue.as_str(), "forge.wiki::index_page.react");
/// assert!(QueueName::new("two\nlines").is_err());
/// # Ok::<(), bus_runtime::NameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueName(Arc<str>);

/// What a name names, as a [`NameError`] says it.
///
/// ```
/// use bus_runtime::names::NameKind;
///
/// assert_eq!(NameKind::RoutingKey.to_string(), "routing key");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NameKind {
    /// A [`RoutingKey`].
    RoutingKey,
    /// An [`ExchangeName`].
    ExchangeName,
    /// A [`QueueName`].
    QueueName,
}

impl NameKind {
    fn check(self, name: &str) -> Result<(), NameError> {
        if name.len() > NAME_BYTES_MAX {
            return Err(NameError::TooLong { kind: self, length: name.len(), start: excerpt(name) });
        }
        // What is forbidden is ASCII, so bytes tell.
        if self == Self::RoutingKey || !name.bytes().any(|byte| self.forbids(byte.into())) {
            return Ok(());
        }
        match name.char_indices().find(|(_, character)| self.forbids(*character)) {
            Some((position, character)) => {
                Err(NameError::ForbiddenCharacter { kind: self, character, position, name: name.into() })
            }
            None => Ok(()),
        }
    }

    fn forbids(self, character: char) -> bool {
        match self {
            Self::RoutingKey => false,
            Self::ExchangeName | Self::QueueName => matches!(character, '\0' | '\r' | '\n'),
        }
    }
}

impl fmt::Display for NameKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RoutingKey => "routing key",
            Self::ExchangeName => "exchange name",
            Self::QueueName => "queue name",
        })
    }
}

/// Why a text is no name.
///
/// ```
/// use bus_runtime::{names::NameKind, NameError, RoutingKey};
///
/// let error = RoutingKey::new("k".repeat(300)).unwrap_err();
/// assert!(matches!(error, NameError::TooLong { kind: NameKind::RoutingKey, length: 300, .. }));
/// assert!(error.to_string().starts_with("a routing key has at most 255 bytes, but this one has 300"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// The name has more than [`NAME_BYTES_MAX`] bytes.
    #[error("{} has at most {NAME_BYTES_MAX} bytes, but this one has {length}: {start:?}..", indefinite(*.kind))]
    TooLong {
        /// What was to be named.
        kind: NameKind,
        /// How many bytes the text has.
        length: usize,
        /// The beginning of the text.
        start: String,
    },
    /// The name has a character that a name of this kind cannot have.
    #[error("{} cannot contain {character:?}, but {name:?} has it at byte {position}", indefinite(*.kind))]
    ForbiddenCharacter {
        /// What was to be named.
        kind: NameKind,
        /// The first character that is not allowed.
        character: char,
        /// At which byte of the text it stands, counted from 0.
        position: usize,
        /// The whole text.
        name: String,
    },
}

impl NameError {
    /// What was to be named.
    ///
    /// ```
    /// use bus_runtime::{names::NameKind, QueueName};
    ///
    /// assert_eq!(QueueName::new("a\0b").unwrap_err().kind(), NameKind::QueueName);
    /// ```
    pub fn kind(&self) -> NameKind {
        match self {
            Self::TooLong { kind, .. } | Self::ForbiddenCharacter { kind, .. } => *kind,
        }
    }
}

fn indefinite(kind: NameKind) -> String {
    match kind {
        NameKind::ExchangeName => format!("an {kind}"),
        NameKind::RoutingKey | NameKind::QueueName => format!("a {kind}"),
    }
}

/// The beginning of a text that is too long to be shown whole.
pub(crate) fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT_CHARS_MAX).collect()
}

/// The words of a key, from [`RoutingKey::words`].
///
/// ```
/// use bus_runtime::RoutingKey;
///
/// let key = RoutingKey::new("wiki.page.saved")?;
/// assert_eq!(key.words().last(), Some("saved"));
/// # Ok::<(), bus_runtime::NameError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Words<'a> {
    /// What is left to split; `None` when no word is left, which an empty word is not.
    rest: Option<&'a str>,
}

impl<'a> Words<'a> {
    pub(crate) fn of(key: &'a str) -> Self {
        Self { rest: if key.is_empty() { None } else { Some(key) } }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_none()
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.take()?;
        match rest.split_once('.') {
            Some((word, rest)) => {
                self.rest = Some(rest);
                Some(word)
            }
            None => Some(rest),
        }
    }
}

impl FusedIterator for Words<'_> {}

/// Everything that a checked, shared text of at most 255 bytes can do, for a type that is a newtype over
/// `Arc<str>`.
///
/// ```text
/// short_string!(QueueName::new, NameError, check);     constructor, error, and what refuses a text
/// short_string!(QueueName => str);                     lets it stand for a `&str`
/// ```
macro_rules! short_string {
    ($Type:ident :: $new:ident, $Error:ident, $check:expr) => {
        impl $Type {
            /// Checks and copies a text. `try_from` takes an `Arc<str>` without copying it.
            ///
            /// # Errors
            ///
            /// When the text is not legal; the error says why.
            ///
            /// ```
            #[doc = concat!("use bus_runtime::", stringify!($Type), ";")]
            ///
            #[doc = concat!("assert_eq!(", stringify!($Type), "::", stringify!($new), "(\"wiki.page\")?, \"wiki.page\");")]
            #[doc = concat!("# Ok::<(), bus_runtime::", stringify!($Error), ">(())")]
            /// ```
            pub fn $new(text: impl AsRef<str>) -> Result<Self, $Error> {
                let text = text.as_ref();
                $check(text)?;
                Ok(Self(Arc::from(text)))
            }

            /// The text.
            ///
            /// ```
            #[doc = concat!("use bus_runtime::", stringify!($Type), ";")]
            ///
            #[doc = concat!("assert_eq!(", stringify!($Type), "::", stringify!($new), "(\"wiki\")?.as_str(), \"wiki\");")]
            #[doc = concat!("# Ok::<(), bus_runtime::", stringify!($Error), ">(())")]
            /// ```
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<Arc<str>> for $Type {
            type Error = $Error;

            fn try_from(text: Arc<str>) -> Result<Self, $Error> {
                $check(&text)?;
                Ok(Self(text))
            }
        }

        impl TryFrom<String> for $Type {
            type Error = $Error;

            fn try_from(text: String) -> Result<Self, $Error> {
                Self::$new(text)
            }
        }

        impl TryFrom<&str> for $Type {
            type Error = $Error;

            fn try_from(text: &str) -> Result<Self, $Error> {
                Self::$new(text)
            }
        }

        impl std::str::FromStr for $Type {
            type Err = $Error;

            fn from_str(text: &str) -> Result<Self, $Error> {
                Self::$new(text)
            }
        }

        impl From<$Type> for Arc<str> {
            fn from(name: $Type) -> Self {
                name.0
            }
        }

        impl AsRef<str> for $Type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $Type {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $Type {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $Type {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }

        impl fmt::Display for $Type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&*self.0, f)
            }
        }

        impl fmt::Debug for $Type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl serde::Serialize for $Type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
    };
    ($($Type:ident),+ => str) => {$(
        impl Deref for $Type {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }
    )+};
}
pub(crate) use short_string;

short_string!(RoutingKey::new, NameError, |name: &str| NameKind::RoutingKey.check(name));
short_string!(ExchangeName::new, NameError, |name: &str| NameKind::ExchangeName.check(name));
short_string!(QueueName::new, NameError, |name: &str| NameKind::QueueName.check(name));
short_string!(RoutingKey, ExchangeName, QueueName => str);

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn words(key: &str) -> Vec<&str> {
        Words::of(key).collect()
    }

    #[test]
    fn an_empty_key_has_no_words_and_dots_make_empty_ones() {
        assert_eq!(words(""), [""; 0]);
        assert_eq!(words("wiki"), ["wiki"]);
        assert_eq!(words("wiki.page"), ["wiki", "page"]);
        assert_eq!(words("."), ["", ""]);
        assert_eq!(words("wiki."), ["wiki", ""]);
        assert_eq!(words(".wiki"), ["", "wiki"]);
        assert_eq!(words("a..b"), ["a", "", "b"]);
        assert_eq!(words("größe.λ"), ["größe", "λ"]);
    }

    #[test]
    fn the_limit_is_255_bytes_not_characters() {
        assert!(RoutingKey::new("k".repeat(255)).is_ok());
        assert!(RoutingKey::new("ß".repeat(127)).is_ok());
        let error = RoutingKey::new("ß".repeat(128)).unwrap_err();
        assert!(
            matches!(error, NameError::TooLong { kind: NameKind::RoutingKey, length: 256, .. }),
            "{error:?}"
        );
        assert!(ExchangeName::new("x".repeat(256)).is_err());
        assert!(QueueName::try_from("x".repeat(256)).is_err());
        assert!(QueueName::try_from(Arc::from("x".repeat(256))).is_err());
        assert!("x".repeat(256).parse::<QueueName>().is_err());
    }

    #[test]
    fn control_characters_are_legal_in_routing_keys_only() {
        for character in ['\0', '\r', '\n'] {
            let name = format!("ß{character}b");
            assert!(RoutingKey::new(&name).is_ok());
            let position = 2;
            assert_eq!(
                QueueName::new(&name).unwrap_err(),
                NameError::ForbiddenCharacter {
                    kind: NameKind::QueueName,
                    character,
                    position,
                    name: name.clone()
                }
            );
            assert_eq!(ExchangeName::new(&name).unwrap_err().kind(), NameKind::ExchangeName);
        }
    }

    #[test]
    fn errors_name_the_thing_what_was_found_and_the_limit() {
        assert_eq!(
            RoutingKey::new("k".repeat(300)).unwrap_err().to_string(),
            "a routing key has at most 255 bytes, but this one has 300: \"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\".."
        );
        assert_eq!(
            ExchangeName::new("a\nb").unwrap_err().to_string(),
            "an exchange name cannot contain '\\n', but \"a\\nb\" has it at byte 1"
        );
    }

    #[test]
    fn a_shared_text_is_not_copied() {
        let text: Arc<str> = Arc::from("wiki.page");
        let key = RoutingKey::try_from(Arc::clone(&text)).unwrap();
        assert!(Arc::ptr_eq(&text, &Arc::from(key.clone())));
        assert_eq!(key.as_str().as_ptr(), text.as_ptr());
    }

    #[test]
    fn a_name_stands_for_its_text() {
        let name = QueueName::new("mail").unwrap();
        assert_eq!(name, "mail");
        assert_eq!(name, *"mail");
        assert_eq!(name.to_string(), "mail");
        assert_eq!(format!("{name:>6}"), "  mail");
        assert_eq!(format!("{name:?}"), "\"mail\"");
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"mail\"");
        assert_eq!(HashMap::from([(name, 1)]).get("mail"), Some(&1));
        assert!(QueueName::new("a").unwrap() < QueueName::new("b").unwrap());
    }
}
