//! The mail of the forge: letters about what happens go out, and mails to its applications come in.

use std::collections::{BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bus_runtime::prelude::*;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};

use crate::scm::Commit;
use crate::tracker::{Comment, TicketId};
use crate::wiki::{Edit, Fate, PageChanged, PageName};

mod destination;

pub use destination::{Destination, MAIL_DOMAIN};

/// Writes a letter about every commit.
#[react("scm.commit")]
pub(crate) async fn announce(commit: Json<Commit>, bus: Publisher) -> Result<(), bus_runtime::Error> {
    bus.publish(&Letter::about_commit(&commit)).await
}

/// Writes a letter about every page that changes.
#[react("wiki.{page}.changed")]
pub(crate) async fn notify(
    page: PageName,
    change: Json<PageChanged>,
    bus: Publisher,
) -> Result<(), bus_runtime::Error> {
    bus.publish(&Letter::about_page(&page, &change)).await
}

/// Sends a letter. Talking to a mail server would block, so this is a plain `fn`: it runs on the pool for blocking work.
///
/// A message may come twice, but always with the same id: so no letter goes out twice.
#[message_handler(Letter)]
pub(crate) fn send(letter: MessageOf<Letter>, outbox: State<Outbox>) {
    outbox.send(letter.metadata().message_id(), letter.payload().clone());
}

/// Hands a part of a mail to the application that it is for: plain text becomes a comment or a page, everything else is kept.
#[audit("mail.part")]
pub(crate) async fn deliver(
    part: Json<Part>,
    archive: State<Archive>,
    bus: Publisher,
) -> Result<Outcome, bus_runtime::Error> {
    let Part { mount_point, topic, author, .. } = &*part;
    match (mount_point.as_str(), topic, part.plain_text()) {
        ("tracker", Some(topic), Some(text)) => match topic.parse() {
            Ok(TicketId(ticket)) => {
                let comment = Comment { author: author.clone(), text: text.to_owned() };
                bus.audit(format!("tracker.{ticket}.comment"), &comment).await?;
            }
            Err(error) => return Ok(reject(format!("`{topic}` is no ticket: {error}"))),
        },
        ("wiki", Some(topic), Some(text)) => {
            let page = PageName::from(topic.clone());
            let edit = Edit { author: author.clone(), text: text.to_owned() };
            bus.audit(format!("wiki.{page}.save"), &edit).await?;
        }
        ("tracker" | "wiki" | "mail", ..) => archive.keep(&part),
        (elsewhere, ..) => return Ok(reject(format!("no application is mounted at `{elsewhere}`"))),
    }
    Ok(ack())
}

/// How many of the last letters the outbox remembers, to know a repeated one; all are counted.
const LETTERS_KEPT: usize = 1000;

/// How many files a letter about a commit lists.
const FILES_LISTED: usize = 20;

/// A part of a mail that came in, as it is published with the key `mail.part`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The project that it is for.
    pub project_id: String,
    /// The application that it is for, by the place where it is mounted.
    pub mount_point: String,
    /// What in the application it is about, such as a ticket or a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
    /// What its mail is called by other mails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// Who wrote it.
    pub author: String,
    /// The subject of its mail.
    pub subject: String,
    /// Its number in its mail, from 1.
    pub number: usize,
    /// What it is, such as `text/plain`.
    pub content_type: String,
    /// What its author calls the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// What it says.
    pub content: Content,
}

impl Part {
    /// What it says, when it is plain text and no file.
    #[must_use]
    pub fn plain_text(&self) -> Option<&str> {
        match &self.content {
            Content::Text(text) if self.content_type == "text/plain" && self.file_name.is_none() => {
                Some(text)
            }
            Content::Text(_) | Content::Base64(_) => None,
        }
    }
}

/// What a part of a mail says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// Text.
    Text(String),
    /// Anything else, in base64.
    Base64(String),
}

impl Content {
    /// Text when the bytes are text, else base64.
    #[must_use]
    pub fn bytes(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Base64(BASE64.encode(bytes)),
        }
    }
}

/// A letter to be sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[task("mail.letter.send")]
pub struct Letter {
    /// Whom it is for.
    pub to: String,
    /// What it is about: always one line.
    pub subject: String,
    /// What it says.
    pub text: String,
}

impl Letter {
    /// Tells those who watch a project about a commit.
    #[must_use]
    pub fn about_commit(commit: &Commit) -> Self {
        let Commit { project_id, hash, author, message, changes, changes_left_out, .. } = commit;
        let mut text =
            format!("{} <{}> committed {hash}:\n\n{}\n", author.name, author.email, message.trim_end());
        if !changes.is_empty() {
            text.push('\n');
        }
        for change in changes.iter().take(FILES_LISTED) {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {} {}", change.kind.letter(), one_line(&change.path));
        }
        let more = changes.len().saturating_sub(FILES_LISTED) + changes_left_out;
        if more > 0 {
            let _ = writeln!(text, "  and {more} more");
        }
        let subject = one_line(&format!("[{project_id}] {}: {}", hash.short(), commit.subject()));
        Self { to: watchers("code", project_id), subject, text }
    }

    /// Tells those who watch a page that it has changed.
    #[must_use]
    pub fn about_page(page: &PageName, change: &PageChanged) -> Self {
        let verb = match change.fate {
            Fate::Written => "changed",
            Fate::Removed => "removed",
        };
        Self {
            to: watchers("wiki", page.as_str()),
            subject: one_line(&format!("{page} was {verb}: {}", change.summary)),
            text: format!("{} {verb} the page {page}.\n", change.author),
        }
    }
}

fn watchers(application: &str, of: &str) -> String {
    one_line(&format!("watchers of {of} <watchers@{application}.{MAIL_DOMAIN}>"))
}

/// A line end in a header would begin another header.
fn one_line(text: &str) -> String {
    text.split(char::is_control).filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The letters that have gone out.
#[derive(Clone, Debug, Default)]
pub struct Outbox(Arc<Mutex<Letters>>);

#[derive(Debug, Default)]
struct Letters {
    sent: usize,
    /// The last letters, each with the id of its message.
    last: VecDeque<(Option<String>, Letter)>,
}

impl Outbox {
    /// Sends a letter, which here means to keep it, unless the letter of this message has been sent already.
    pub fn send(&self, message_id: Option<&str>, letter: Letter) {
        let mut letters = self.lock();
        if message_id.is_some() && letters.last.iter().any(|(sent, _)| sent.as_deref() == message_id) {
            return;
        }
        letters.sent += 1;
        letters.last.truncate(LETTERS_KEPT - 1);
        letters.last.push_front((message_id.map(str::to_owned), letter));
    }

    /// How many letters have been sent.
    #[must_use]
    pub fn sent(&self) -> usize {
        self.lock().sent
    }

    /// The letter that was sent last.
    #[must_use]
    pub fn last(&self) -> Option<Letter> {
        self.lock().last.front().map(|(_, letter)| letter.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Letters> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The parts of mails that no application wants, such as attachments.
#[derive(Clone, Debug, Default)]
pub struct Archive(Arc<Mutex<BTreeSet<String>>>);

impl Archive {
    /// Keeps a part, of which only a line is shown; keeping it twice is keeping it once.
    pub fn keep(&self, part: &Part) {
        let name = part.file_name.as_deref().unwrap_or(&part.content_type);
        let mail = part.message_id.as_deref().unwrap_or(&part.subject);
        self.lock().insert(format!("{mail} part {}: {name}", part.number));
    }

    /// How many parts there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether there is no part.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scm::tests::commit;
    use crate::scm::{Change, ChangeKind};

    fn added(path: &str) -> Change {
        Change { kind: ChangeKind::Added, path: path.into(), from: None }
    }

    #[test]
    fn a_letter_about_a_commit_says_who_what_and_where() {
        let letter = Letter::about_commit(&commit("add a wiki\n\nIt has pages.\n", vec![added("wiki.rs")]));
        assert_eq!(letter.to, "watchers of bus <watchers@code.forge.localhost>");
        assert_eq!(letter.subject, "[bus] 0123456789: add a wiki");
        let text = "Ada <ada@example.org> committed 0123456789abcdef0123456789abcdef01234567:\n\n\
            add a wiki\n\nIt has pages.\n\n  A wiki.rs\n";
        assert_eq!(letter.text, text);
    }

    #[test]
    fn a_letter_lists_some_files_and_counts_the_rest() {
        let mut large = commit("import", vec![added("file"); FILES_LISTED + 2]);
        large.changes_left_out = 3;
        let letter = Letter::about_commit(&large);
        assert_eq!(letter.text.matches("  A file\n").count(), FILES_LISTED);
        assert!(letter.text.ends_with("  and 5 more\n"));
    }

    #[test]
    fn nothing_from_outside_can_begin_another_header() {
        let mut hostile = commit("subject\rBcc: all@example.org", vec![]);
        hostile.project_id = "bus\r\nBcc: all@example.org".into();
        let letter = Letter::about_commit(&hostile);
        for header in [letter.subject, letter.to] {
            assert!(!header.contains(char::is_control), "{header:?}");
        }
    }

    #[test]
    fn the_outbox_counts_all_letters_and_keeps_the_last() {
        let outbox = Outbox::default();
        for number in 0..=LETTERS_KEPT {
            let letter = Letter { to: "a".into(), subject: number.to_string(), text: String::new() };
            outbox.send(Some(&number.to_string()), letter);
        }
        assert_eq!(outbox.sent(), LETTERS_KEPT + 1);
        assert_eq!(outbox.last().unwrap().subject, LETTERS_KEPT.to_string());
        assert_eq!(outbox.lock().last.len(), LETTERS_KEPT);
    }

    #[test]
    fn the_letter_of_a_repeated_message_goes_out_once() {
        let outbox = Outbox::default();
        for message_id in [Some("one"), Some("two"), Some("one"), None, None] {
            outbox.send(message_id, Letter::about_commit(&commit("hello", vec![])));
        }
        assert_eq!(outbox.sent(), 4);
    }

    #[test]
    fn bytes_are_text_when_they_can_be() {
        assert_eq!(Content::bytes("schön".as_bytes()), Content::Text("schön".into()));
        assert_eq!(Content::bytes(&[0xff]), Content::Base64("/w==".into()));
    }
}
