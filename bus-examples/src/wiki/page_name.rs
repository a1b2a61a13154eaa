//! The names of wiki pages: each is one word of a routing key.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The most bytes a page's name has, so that `wiki.{page}.changed` stays below the 255 bytes of a routing key.
pub const PAGE_NAME_BYTES_MAX: usize = 200;

/// The endings of files that are documents.
const DOCUMENT_ENDINGS: [&str; 7] = ["md", "markdown", "rst", "adoc", "txt", "org", "html"];

/// The name of a page, such as `docs/guide`: always one word, because a dot would end it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct PageName(String);

impl PageName {
    /// The page of a file, when the file is a document.
    ///
    /// Only the path without its ending counts: a document that is rewritten from `guide.rst` to `guide.md` is the same page.
    #[must_use]
    pub fn of_document(path: &str) -> Option<Self> {
        let (stem, ending) = path.rsplit_once('.')?;
        let named = !stem.is_empty() && !stem.ends_with('/');
        let document = DOCUMENT_ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending));
        (named && document).then(|| Self::from(stem.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Any text is a page's name: what would break a routing key becomes `-`, and of a long path the end is kept.
impl From<String> for PageName {
    fn from(text: String) -> Self {
        let name: String = text.trim().chars().map(word_char).collect();
        let too_many = name.len().saturating_sub(PAGE_NAME_BYTES_MAX);
        let start = (too_many..).find(|&at| name.is_char_boundary(at)).unwrap_or(too_many);
        Self(name[start..].to_owned())
    }
}

fn word_char(c: char) -> char {
    if c == '.' || c.is_control() || c.is_whitespace() { '-' } else { c }
}

impl From<PageName> for String {
    fn from(name: PageName) -> Self {
        name.0
    }
}

impl FromStr for PageName {
    type Err = Infallible;

    fn from_str(word: &str) -> Result<Self, Infallible> {
        Ok(Self::from(word.to_owned()))
    }
}

impl fmt::Display for PageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_have_pages_and_code_has_none() {
        let page = |path| PageName::of_document(path).map(String::from);
        assert_eq!(page("README.md").as_deref(), Some("README"));
        assert_eq!(page("docs/v1.2/guide.RST").as_deref(), Some("docs/v1-2/guide"));
        assert_eq!(page("docs/über uns.txt").as_deref(), Some("docs/über-uns"));
        for path in ["src/lib.rs", "Makefile", ".md", "docs/.md", "", "md"] {
            assert_eq!(page(path), None, "{path}");
        }
    }

    #[test]
    fn a_name_is_one_short_word_whatever_the_path() {
        let long = format!("{}/end.md", "ü/".repeat(500));
        let name = PageName::of_document(&long).unwrap();
        assert!(name.as_str().len() <= PAGE_NAME_BYTES_MAX && name.as_str().ends_with("/end"));
        let odd = PageName::from("a.b\nc\td".to_owned());
        assert_eq!(odd.as_str(), "a-b-c-d");
    }
}
