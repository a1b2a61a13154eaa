//! The tracker of the forge: tickets, what commits and mails say about them, and who closes them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

use crate::scm::{Commit, CommitHash};

mod references;

pub use references::{Intent, REFERENCES_MAX, references};

/// A commit names a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[event("tracker.ticket.linked")]
pub struct TicketLinked {
    /// The ticket.
    pub ticket: TicketId,
    /// The commit.
    pub commit: CommitHash,
}

/// Close a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[task("tracker.ticket.close")]
pub struct CloseTicket {
    /// The ticket.
    pub ticket: TicketId,
}

/// Open a ticket, and say which number it got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, Message)]
#[command("tracker.ticket.open", reply = TicketId)]
pub struct OpenTicket {
    /// What it is about.
    pub summary: String,
}

/// Links every commit to the tickets that its message names, and has those closed that it fixes.
#[react("scm.commit")]
pub(crate) async fn link(
    commit: Json<Commit>,
    tickets: State<Tickets>,
    bus: Publisher,
) -> Result<(), bus_runtime::Error> {
    for (ticket, intent) in references(&commit.message) {
        tickets.link(ticket, &commit.hash);
        bus.publish(&TicketLinked { ticket, commit: commit.hash.clone() }).await?;
        if intent == Intent::Close {
            bus.publish(&CloseTicket { ticket }).await?;
        }
    }
    Ok(())
}

/// Closes a ticket.
#[message_handler(CloseTicket)]
pub(crate) async fn close(task: CloseTicket, tickets: State<Tickets>) {
    tickets.close(task.ticket);
}

/// Opens a ticket; what it returns is the reply.
#[message_handler(OpenTicket)]
pub(crate) async fn open(command: OpenTicket, tickets: State<Tickets>) -> Result<TicketId, TrackerError> {
    match command.summary.trim() {
        "" => Err(TrackerError::NoSummary),
        summary => Ok(tickets.open(summary)),
    }
}

/// Adds a comment to the ticket that the routing key names.
#[audit("tracker.{ticket}.comment")]
pub(crate) async fn comment(ticket: TicketId, comment: Json<Comment>, tickets: State<Tickets>) -> Outcome {
    if tickets.comment(ticket, comment.0) { ack() } else { reject(format!("there is no ticket {ticket}")) }
}

/// Why the tracker refuses a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrackerError {
    /// A ticket without a summary cannot be found again.
    #[error("a ticket needs a summary")]
    NoSummary,
}

/// The number of a ticket, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TicketId(pub u32);

impl fmt::Display for TicketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl FromStr for TicketId {
    type Err = ParseIntError;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        word.parse().map(Self)
    }
}

/// Something to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ticket {
    /// What it is about; empty while it has only been named and nobody has opened it.
    pub summary: String,
    /// Whether it is done.
    pub closed: bool,
    /// The commits that name it.
    pub commits: BTreeSet<CommitHash>,
    /// What people said about it.
    pub comments: Vec<Comment>,
}

/// What somebody said about a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Comment {
    /// Who said it.
    pub author: String,
    /// What was said.
    pub text: String,
}

/// All tickets. Whatever is done twice to them has the same effect as doing it once, because a message may come twice.
#[derive(Clone, Debug, Default)]
pub struct Tickets(Arc<Mutex<BTreeMap<TicketId, Ticket>>>);

impl Tickets {
    /// Opens a ticket under the next free number.
    pub fn open(&self, summary: &str) -> TicketId {
        let mut tickets = self.lock();
        let last = tickets.last_key_value().map_or(0, |(id, _)| id.0);
        let id = TicketId(last.saturating_add(1));
        tickets.insert(id, Ticket { summary: summary.to_owned(), ..Ticket::default() });
        id
    }

    /// Links a commit to a ticket, and says whether the link is new. A ticket that nobody has opened yet is kept by its number.
    pub fn link(&self, id: TicketId, commit: &CommitHash) -> bool {
        self.lock().entry(id).or_default().commits.insert(commit.clone())
    }

    /// Closes a ticket, opened or not.
    pub fn close(&self, id: TicketId) {
        self.lock().entry(id).or_default().closed = true;
    }

    /// Adds a comment to a ticket, and says whether there is such a ticket.
    pub fn comment(&self, id: TicketId, comment: Comment) -> bool {
        let mut tickets = self.lock();
        let Some(ticket) = tickets.get_mut(&id) else { return false };
        if !ticket.comments.contains(&comment) {
            ticket.comments.push(comment);
        }
        true
    }

    /// A ticket.
    #[must_use]
    pub fn get(&self, id: TicketId) -> Option<Ticket> {
        self.lock().get(&id).cloned()
    }

    /// How many tickets are known, and how many of them are closed.
    #[must_use]
    pub fn totals(&self) -> (usize, usize) {
        let tickets = self.lock();
        (tickets.len(), tickets.values().filter(|ticket| ticket.closed).count())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TicketId, Ticket>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tickets_get_the_next_free_number() {
        let tickets = Tickets::default();
        assert_eq!(tickets.open("one"), TicketId(1));
        tickets.link(TicketId(40), &CommitHash("a".into()));
        assert_eq!(tickets.open("two"), TicketId(41));
    }

    #[test]
    fn a_link_is_made_once() {
        let tickets = Tickets::default();
        let commit = CommitHash("a".into());
        assert!(tickets.link(TicketId(3), &commit));
        assert!(!tickets.link(TicketId(3), &commit));
        assert_eq!(tickets.get(TicketId(3)).unwrap().commits.len(), 1);
    }

    #[test]
    fn only_a_ticket_that_is_there_can_be_commented() {
        let tickets = Tickets::default();
        let comment = Comment { author: "Ada".into(), text: "me too".into() };
        assert!(!tickets.comment(TicketId(1), comment.clone()));
        tickets.open("crash");
        tickets.close(TicketId(1));
        tickets.close(TicketId(1));
        assert!(tickets.comment(TicketId(1), comment.clone()) && tickets.comment(TicketId(1), comment));
        assert_eq!(tickets.get(TicketId(1)).unwrap().comments.len(), 1);
        assert_eq!(tickets.totals(), (1, 1));
    }

    #[test]
    fn a_ticket_id_parses_from_a_word() {
        assert_eq!("12".parse(), Ok(TicketId(12)));
        assert!("twelve".parse::<TicketId>().is_err());
        assert_eq!(TicketId(12).to_string(), "#12");
    }
}
