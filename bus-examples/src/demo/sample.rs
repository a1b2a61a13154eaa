//! A small history and a few mails, for a demo without a repository.

use crate::feed::git::Origin;
use crate::scm::{Change, ChangeKind, Commit, CommitHash, Person};
use crate::tracker::TicketId;

/// When the first commit was written, in seconds since 1970; the others follow hourly.
const FIRST_COMMIT: i64 = 1_258_970_400;

/// What is in the folder of mails; `{project}` and `{ticket}` stand for where they go.
const MAILS: &str = include_str!("sample.mbox");

/// Who wrote the commits, in turn.
const AUTHORS: [(&str, &str); 2] = [("Ada", "ada@example.org"), ("Grace", "grace@example.org")];

/// The commits: the message, and the files.
pub(super) const COMMITS: [(&str, &[(ChangeKind, &str)]); 8] = [
    ("Begin a forge", &[(ChangeKind::Added, "README.md"), (ChangeKind::Added, "src/main.rs")]),
    ("Add a tracker, see #1", &[(ChangeKind::Added, "src/tracker.rs")]),
    ("Explain how to write a listener\n\nFixes #2.", &[(ChangeKind::Added, "docs/message_bus.rst")]),
    ("Add a wiki", &[(ChangeKind::Added, "src/wiki.rs"), (ChangeKind::Modified, "docs/message_bus.rst")]),
    ("Link commits to tickets\n\nCloses #1, mentions #3.", &[(ChangeKind::Modified, "src/tracker.rs")]),
    ("Forget the old guide", &[(ChangeKind::Deleted, "docs/message_bus.rst")]),
    ("Describe auditors and reactors", &[(ChangeKind::Added, "docs/guide.md")]),
    ("Release 0.1 (#3)", &[(ChangeKind::Modified, "README.md"), (ChangeKind::Added, "CHANGELOG.md")]),
];

/// Where the commits come from.
pub(super) fn origin() -> Origin {
    Origin { project_id: "sample".to_owned(), mount_point: "code".to_owned() }
}

/// The commits, as a feed would read them.
pub(super) fn commits(origin: &Origin) -> impl Iterator<Item = Commit> {
    (1..).zip(COMMITS).zip(AUTHORS.iter().cycle()).map(|((sequence, (message, files)), (name, email))| {
        Commit {
            project_id: origin.project_id.clone(),
            mount_point: origin.mount_point.clone(),
            sequence,
            hash: CommitHash(format!("{sequence:040x}")),
            parents: usize::from(sequence > 1),
            author: Person { name: (*name).to_owned(), email: (*email).to_owned() },
            time: FIRST_COMMIT + sequence.cast_signed() * 3600,
            message: message.to_owned(),
            changes: files
                .iter()
                .map(|(kind, path)| Change { kind: *kind, path: (*path).to_owned(), from: None })
                .collect(),
            changes_left_out: 0,
        }
    })
}

/// The mails: to a ticket, to a page, and to nobody in particular.
pub(super) fn mails(project: &str, ticket: TicketId) -> String {
    MAILS.replace("{project}", project).replace("{ticket}", &ticket.0.to_string())
}
