//! The words of pages, and in which pages they occur.

use std::collections::{BTreeMap, BTreeSet};

use super::PageName;

/// Shorter words say nothing.
const WORD_CHARS_MIN: usize = 3;

/// Longer words are data, not language.
const WORD_CHARS_MAX: usize = 40;

/// From a word to the pages that it occurs in.
#[derive(Debug, Default)]
pub struct Index(BTreeMap<String, BTreeSet<PageName>>);

impl Index {
    /// Adds what a text says about a page.
    pub fn add(&mut self, page: &PageName, text: &str) {
        for word in words(text) {
            self.0.entry(word).or_default().insert(page.clone());
        }
    }

    /// Forgets a page.
    pub fn remove(&mut self, page: &PageName) {
        self.0.retain(|_, pages| {
            pages.remove(page);
            !pages.is_empty()
        });
    }

    /// The pages in which all words of the query occur; none for a query without words.
    #[must_use]
    pub fn find(&self, query: &str) -> BTreeSet<PageName> {
        let mut hits = words(query).map(|word| self.0.get(&word).cloned().unwrap_or_default());
        let first = hits.next().unwrap_or_default();
        hits.fold(first, |all, next| &all & &next)
    }

    /// How many words are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no word is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The words of a text, in lower case.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| (WORD_CHARS_MIN..=WORD_CHARS_MAX).contains(&word.chars().count()))
        .map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index() -> (Index, PageName, PageName) {
        let mut index = Index::default();
        let (guide, faq) = (PageName::from("docs/guide".to_owned()), PageName::from("faq".to_owned()));
        index.add(&guide, "How to write a handler. Überall!");
        index.add(&faq, "Why is my handler not called?");
        (index, guide, faq)
    }

    #[test]
    fn finds_the_pages_in_which_all_words_occur() {
        let (index, guide, faq) = index();
        assert_eq!(index.find("HANDLER"), BTreeSet::from([guide.clone(), faq.clone()]));
        assert_eq!(index.find("handler called"), BTreeSet::from([faq]));
        assert_eq!(index.find("überall"), BTreeSet::from([guide]));
        assert!(index.find("handler nowhere").is_empty());
        assert!(index.find("").is_empty() && index.find("to is").is_empty());
    }

    #[test]
    fn a_removed_page_leaves_no_word_behind() {
        let (mut index, guide, faq) = index();
        index.remove(&guide);
        assert_eq!(index.find("handler"), BTreeSet::from([faq.clone()]));
        index.remove(&faq);
        assert!(index.is_empty());
    }
}
