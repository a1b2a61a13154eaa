//! The source code management of the forge: the commits that its repositories have seen.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bus_runtime::Attempt;
use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

use crate::faults::{Fault, Faults};
use crate::tracker::{TicketId, TicketLinked};

/// Records every commit.
#[react("scm.commit", retry(max = 3, initial = "50ms"))]
pub(crate) async fn record(
    commit: Json<Commit>,
    attempt: Attempt,
    repository: State<Repository>,
    faults: State<Faults>,
) -> Result<(), Fault> {
    faults.strike(commit.sequence, attempt.0)?;
    repository.record(&commit);
    Ok(())
}

/// Writes into the record of a commit which tickets it names.
#[message_handler(TicketLinked)]
pub(crate) async fn annotate(link: TicketLinked, repository: State<Repository>) {
    repository.annotate(&link.commit, link.ticket);
}

/// A commit, as it is published with the key `scm.commit`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Commit {
    /// The project whose repository it is in.
    pub project_id: String,
    /// Where in the project the repository is mounted.
    pub mount_point: String,
    /// Its number in the feed that it came with, from 1.
    pub sequence: u64,
    /// What git calls it.
    pub hash: CommitHash,
    /// How many parents it has: none is a root, two or more is a merge.
    pub parents: usize,
    /// Who wrote it.
    pub author: Person,
    /// When it was written, in seconds since 1970.
    pub time: i64,
    /// The whole message.
    pub message: String,
    /// What it did to which files; of a merge nothing is listed, because the merged commits say it.
    pub changes: Vec<Change>,
    /// How many more files it changed than are listed.
    #[serde(default)]
    pub changes_left_out: usize,
}

impl Commit {
    /// The first line of the message.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.message.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("(no message)")
    }
}

/// The hash of a commit, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommitHash(pub String);

impl CommitHash {
    /// As much of it as people read.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..10).unwrap_or(&self.0)
    }
}

impl fmt::Display for CommitHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Somebody with a name and a mail address.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Person {
    /// The name.
    pub name: String,
    /// The mail address.
    pub email: String,
}

/// What a commit did to a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What was done.
    pub kind: ChangeKind,
    /// Where the file is now, or was.
    pub path: String,
    /// Where it was before it was renamed, or what it was copied from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// What can be done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// Its content is new.
    Modified,
    /// It is gone.
    Deleted,
    /// It has another path.
    Renamed,
    /// It is a copy of another file.
    Copied,
    /// It is another type of file, such as a link.
    TypeChanged,
}

impl ChangeKind {
    /// The letter by which git abbreviates it.
    #[must_use]
    pub fn letter(self) -> char {
        match self {
            Self::Added => 'A',
            Self::Modified => 'M',
            Self::Deleted => 'D',
            Self::Renamed => 'R',
            Self::Copied => 'C',
            Self::TypeChanged => 'T',
        }
    }
}

/// The commits that have been seen, and the tickets that they name.
#[derive(Clone, Debug, Default)]
pub struct Repository(Arc<Mutex<BTreeMap<CommitHash, Recorded>>>);

/// What is kept of a commit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The first line of its message.
    pub subject: String,
    /// Who wrote it.
    pub author: Person,
    /// The tickets that it names.
    pub tickets: BTreeSet<TicketId>,
}

impl Repository {
    /// Records a commit; doing it twice changes nothing.
    pub fn record(&self, commit: &Commit) {
        let mut commits = self.lock();
        let recorded = commits.entry(commit.hash.clone()).or_default();
        commit.subject().clone_into(&mut recorded.subject);
        recorded.author = commit.author.clone();
    }

    /// Notes that a commit names a ticket; the commit itself may come later.
    pub fn annotate(&self, commit: &CommitHash, ticket: TicketId) {
        let mut commits = self.lock();
        commits.entry(commit.clone()).or_default().tickets.insert(ticket);
    }

    /// What is known of a commit.
    #[must_use]
    pub fn get(&self, commit: &CommitHash) -> Option<Recorded> {
        self.lock().get(commit).cloned()
    }

    /// How many commits there are, and of how many authors.
    #[must_use]
    pub fn totals(&self) -> (usize, usize) {
        let commits = self.lock();
        let authors: BTreeSet<&Person> = commits.values().map(|recorded| &recorded.author).collect();
        (commits.len(), authors.len())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<CommitHash, Recorded>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn commit(message: &str, changes: Vec<Change>) -> Commit {
        Commit {
            project_id: "bus".into(),
            mount_point: "code".into(),
            sequence: 1,
            hash: CommitHash("0123456789abcdef0123456789abcdef01234567".into()),
            parents: 1,
            author: Person { name: "Ada".into(), email: "ada@example.org".into() },
            time: 1_700_000_000,
            message: message.into(),
            changes,
            changes_left_out: 0,
        }
    }

    #[test]
    fn the_subject_is_the_first_line_that_says_something() {
        assert_eq!(commit("add a wiki\n\nlong text", vec![]).subject(), "add a wiki");
        assert_eq!(commit("\n\n  late\n", vec![]).subject(), "late");
        assert_eq!(commit("", vec![]).subject(), "(no message)");
    }

    #[test]
    fn recording_twice_is_recording_once_and_keeps_the_tickets() {
        let repository = Repository::default();
        let commit = commit("fixes #7", vec![]);
        repository.annotate(&commit.hash, TicketId(7));
        repository.record(&commit);
        repository.record(&commit);
        assert_eq!(repository.totals(), (1, 1));
        let recorded = repository.get(&commit.hash).unwrap();
        assert_eq!(recorded.subject, "fixes #7");
        assert_eq!(recorded.tickets, BTreeSet::from([TicketId(7)]));
    }

    #[test]
    fn a_short_hash_may_be_shorter_than_ten() {
        assert_eq!(CommitHash("abc".into()).short(), "abc");
        assert_eq!(commit("", vec![]).hash.short(), "0123456789");
    }
}
