//! The wiki of the forge: its pages are the documents of the repository and what people write.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

use crate::scm::{Change, ChangeKind, Commit};

mod page_name;
mod words;

pub use page_name::{PAGE_NAME_BYTES_MAX, PageName};
pub use words::Index;

/// The handlers of the wiki. There is one wiki in this forge, which the app is given with `.instance(..)`.
#[controller("wiki")]
impl Wiki {
    /// Indexes the documents that a commit changes, and tells whoever watches their pages. One commit after the other: a page
    /// that was removed and written again must be there in the end.
    #[react("scm.commit", concurrency = 1)]
    pub(crate) async fn index(&self, commit: Json<Commit>, bus: Publisher) -> Result<(), bus_runtime::Error> {
        for (page, fate) in self.apply(&commit) {
            let change =
                PageChanged { author: commit.author.name.clone(), summary: commit.subject().into(), fate };
            bus.react(format!("wiki.{page}.changed"), &change).await?;
        }
        Ok(())
    }

    /// Saves what somebody wrote on the page that the routing key names.
    #[audit("wiki.{page}.save")]
    pub(crate) async fn edit(
        &self,
        page: PageName,
        edit: Json<Edit>,
        bus: Publisher,
    ) -> Result<(), bus_runtime::Error> {
        self.save(&page, &edit);
        let change =
            PageChanged { author: edit.author.clone(), summary: "edited".into(), fate: Fate::Written };
        bus.react(format!("wiki.{page}.changed"), &change).await
    }
}

/// What somebody wants a page to say, as it is published with the key `wiki.{page}.save`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// Who wants it.
    pub author: String,
    /// The new text.
    pub text: String,
}

/// A page has changed, as it is published with the key `wiki.{page}.changed`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageChanged {
    /// Who changed it.
    pub author: String,
    /// What was done, in a line.
    pub summary: String,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It says something new.
    Written,
    /// It is gone.
    Removed,
}

/// All pages, and an index of their words.
#[derive(Clone, Debug, Default)]
pub struct Wiki(Arc<Mutex<Content>>);

#[derive(Debug, Default)]
struct Content {
    /// By page, who changed it how: the summaries are a set, because a message may come twice.
    pages: BTreeMap<PageName, BTreeSet<String>>,
    index: Index,
}

impl Wiki {
    /// Indexes the documents that a commit changed, and returns what became of each page.
    pub fn apply(&self, commit: &Commit) -> Vec<(PageName, Fate)> {
        let fates: BTreeMap<PageName, Fate> = commit.changes.iter().flat_map(fates).collect();
        let mut content = self.lock();
        for (page, fate) in &fates {
            match fate {
                Fate::Written => content.write(page, commit.subject(), commit.hash.short()),
                Fate::Removed => content.remove(page),
            }
        }
        fates.into_iter().collect()
    }

    /// Saves what somebody wrote.
    pub fn save(&self, page: &PageName, edit: &Edit) {
        let mut content = self.lock();
        content.index.remove(page);
        content.write(page, &edit.text, &edit.author);
    }

    /// The pages in which all words of the query occur.
    #[must_use]
    pub fn find(&self, query: &str) -> BTreeSet<PageName> {
        self.lock().index.find(query)
    }

    /// How many pages there are, and how many words they are found by.
    #[must_use]
    pub fn totals(&self) -> (usize, usize) {
        let content = self.lock();
        (content.pages.len(), content.index.len())
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Content {
    fn write(&mut self, page: &PageName, text: &str, revision: &str) {
        self.pages.entry(page.clone()).or_default().insert(revision.to_owned());
        self.index.add(page, page.as_str());
        self.index.add(page, text);
    }

    fn remove(&mut self, page: &PageName) {
        self.pages.remove(page);
        self.index.remove(page);
    }
}

/// What a change of a file means for pages: a rename removes one and writes another.
fn fates(change: &Change) -> impl Iterator<Item = (PageName, Fate)> {
    let gone = match change.kind {
        ChangeKind::Deleted => Some(change.path.as_str()),
        ChangeKind::Renamed => change.from.as_deref(),
        _ => None,
    };
    let written = (change.kind != ChangeKind::Deleted).then_some(change.path.as_str());
    let page = |path: Option<&str>, fate| Some((PageName::of_document(path?)?, fate));
    page(gone, Fate::Removed).into_iter().chain(page(written, Fate::Written))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scm::tests::commit;

    fn change(kind: ChangeKind, path: &str, from: Option<&str>) -> Change {
        Change { kind, path: path.into(), from: from.map(str::to_owned) }
    }

    fn page(name: &str) -> PageName {
        PageName::from(name.to_owned())
    }

    #[test]
    fn documents_are_found_by_their_path_and_by_what_commits_say() {
        let wiki = Wiki::default();
        let changes = vec![
            change(ChangeKind::Added, "docs/guide.md", None),
            change(ChangeKind::Modified, "src/lib.rs", None),
        ];
        assert_eq!(wiki.apply(&commit("explain retries", changes)), [(page("docs/guide"), Fate::Written)]);
        assert_eq!(wiki.find("guide"), BTreeSet::from([page("docs/guide")]));
        assert_eq!(wiki.find("retries"), BTreeSet::from([page("docs/guide")]));
        assert_eq!(wiki.totals().0, 1);
    }

    #[test]
    fn a_rename_moves_a_page_and_a_deletion_removes_it() {
        let wiki = Wiki::default();
        wiki.apply(&commit("one", vec![change(ChangeKind::Added, "old.md", None)]));
        let fates = wiki.apply(&commit("two", vec![change(ChangeKind::Renamed, "new.md", Some("old.md"))]));
        assert_eq!(fates, [(page("new"), Fate::Written), (page("old"), Fate::Removed)]);
        assert!(wiki.find("old").is_empty() && !wiki.find("new").is_empty());
        wiki.apply(&commit("three", vec![change(ChangeKind::Deleted, "new.md", None)]));
        assert_eq!(wiki.totals(), (0, 0));
    }

    #[test]
    fn a_rewrite_in_another_markup_keeps_the_page() {
        let wiki = Wiki::default();
        let rewrite = change(ChangeKind::Renamed, "guide.md", Some("guide.rst"));
        assert_eq!(wiki.apply(&commit("markdown", vec![rewrite])), [(page("guide"), Fate::Written)]);
    }

    #[test]
    fn a_saved_page_is_found_by_its_new_text_only() {
        let wiki = Wiki::default();
        let edit = |text: &str| Edit { author: "Ada".into(), text: text.into() };
        wiki.save(&page("Home"), &edit("welcome everybody"));
        wiki.save(&page("Home"), &edit("hello everybody"));
        assert!(wiki.find("welcome").is_empty());
        assert_eq!(wiki.find("hello"), BTreeSet::from([page("Home")]));
        assert_eq!(wiki.totals().0, 1);
    }
}
