//! The books of a fault test: every message by its number, what the broker promised, and what became of it.
//!
//! As the checkers of Jepsen do it: only what was confirmed must be there in the end, but nothing that nobody published may be.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// So many numbers of lost messages are shown.
const SHOWN_MAX: usize = 10;

/// The books. Clones share them, so that a test, its publishers and its handlers write into the same.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<BTreeMap<u64, Entry>>>);

/// One message.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    attempted: bool,
    confirmed: bool,
    handled: u32,
    dead: u32,
    queued: u32,
}

impl Ledger {
    fn change(&self, id: u64, change: impl FnOnce(&mut Entry)) {
        change(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(id).or_default());
    }

    /// The message is about to be published: from here on the broker may have it.
    pub fn attempted(&self, id: u64) {
        self.change(id, |entry| entry.attempted = true);
    }

    /// The broker has promised to keep it.
    pub fn confirmed(&self, id: u64) {
        self.change(id, |entry| entry.confirmed = true);
    }

    /// A handler has had it with success.
    pub fn handled(&self, id: u64) {
        self.change(id, |entry| entry.handled += 1);
    }

    /// It was found with the dead letters.
    pub fn dead(&self, id: u64) {
        self.change(id, |entry| entry.dead += 1);
    }

    /// It was found waiting in a queue.
    pub fn queued(&self, id: u64) {
        self.change(id, |entry| entry.queued += 1);
    }

    /// How many different messages have been handled.
    #[must_use]
    pub fn count_handled(&self) -> usize {
        self.count(|entry| entry.handled > 0)
    }

    /// How many messages the broker has promised to keep.
    #[must_use]
    pub fn count_confirmed(&self) -> usize {
        self.count(|entry| entry.confirmed)
    }

    /// Whether this message has been handled.
    #[must_use]
    pub fn was_handled(&self, id: u64) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&id).is_some_and(|entry| entry.handled > 0)
    }

    /// How many confirmed messages have turned up nowhere yet.
    #[must_use]
    pub fn count_missing(&self) -> usize {
        self.count(|entry| entry.confirmed && !entry.turned_up())
    }

    fn count(&self, which: impl Fn(&Entry) -> bool) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().filter(|entry| which(entry)).count()
    }

    /// Closes the books.
    #[must_use]
    pub fn balance(&self, what: &str) -> Balance {
        let mut balance = Balance { what: what.to_owned(), ..Balance::default() };
        for (&id, entry) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let Entry { attempted, confirmed, handled, dead, queued } = *entry;
            balance.attempted += usize::from(attempted);
            balance.confirmed += usize::from(confirmed);
            // Where a message is counted when it is in several places: where it got furthest.
            match (handled, dead, queued) {
                (0, 0, 0) if confirmed => balance.lost.push(id),
                (0, 0, 0) => balance.never_arrived += usize::from(attempted),
                (0, 0, _) => balance.queued += 1,
                (0, _, _) => balance.dead += 1,
                _ => balance.handled += 1,
            }
            let copies = handled + dead + queued;
            balance.duplicates += copies.saturating_sub(1) as usize;
            if !attempted && copies > 0 {
                balance.unexpected.push(id);
            }
        }
        balance
    }
}

impl Entry {
    fn turned_up(&self) -> bool {
        self.handled + self.dead + self.queued > 0
    }
}

/// What became of all messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// The fault.
    pub what: String,
    /// Messages that somebody tried to publish.
    pub attempted: usize,
    /// Those that the broker confirmed.
    pub confirmed: usize,
    /// Different messages that were handled.
    pub handled: usize,
    /// Messages beyond the first of each.
    pub duplicates: usize,
    /// Different messages that were found with the dead letters, and were not handled.
    pub dead: usize,
    /// Different messages that still wait, and were neither handled nor dead.
    pub queued: usize,
    /// Messages that were not confirmed, and turned up nowhere: their publisher was told so.
    pub never_arrived: usize,
    /// Confirmed messages that turned up nowhere.
    pub lost: Vec<u64>,
    /// Messages that nobody published.
    pub unexpected: Vec<u64>,
    /// How long it took to come back.
    pub back_after: Option<Duration>,
}

impl Balance {
    /// Notes how long it took to come back.
    #[must_use]
    pub fn back_after(mut self, time: Duration) -> Self {
        self.back_after = Some(time);
        self
    }

    /// Prints the balance, where the test harness does not keep it to itself, and demands that nothing is lost or made up.
    ///
    /// # Panics
    /// When something is.
    #[expect(clippy::must_use_candidate, reason = "tests may want nothing but the check")]
    pub fn check(self) -> Self {
        let _ = writeln!(std::io::stderr(), "balance: {self}");
        let shown = |ids: &[u64]| ids.iter().take(SHOWN_MAX).copied().collect::<Vec<_>>();
        assert!(self.lost.is_empty(), "{self}\nlost: {:?} ..", shown(&self.lost));
        assert!(self.unexpected.is_empty(), "{self}\nunexpected: {:?} ..", shown(&self.unexpected));
        let there = self.handled + self.dead + self.queued;
        assert_eq!(self.attempted, there + self.never_arrived, "published = handled + dead + queued: {self}");
        self
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, attempted, confirmed, handled, duplicates, dead, queued, .. } = self;
        write!(f, "{what}: published {attempted}, confirmed {confirmed}, handled {handled}, ")?;
        write!(
            f,
            "duplicates {duplicates}, dead {dead}, queued {queued}, never arrived {}, ",
            self.never_arrived
        )?;
        write!(f, "lost {}, unexpected {}", self.lost.len(), self.unexpected.len())?;
        match self.back_after {
            Some(time) => write!(f, ", back after {:.2} s", time.as_secs_f64()),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was done with message 1, and where it is counted then.
    #[test]
    fn every_message_is_counted_once() {
        type Deed = fn(&Ledger, u64);
        const PUBLISHED: Deed = |ledger, id| {
            ledger.attempted(id);
            ledger.confirmed(id);
        };
        let rows: [(&[Deed], &str); 9] = [
            (
                &[PUBLISHED, Ledger::handled],
                "published 1, confirmed 1, handled 1, duplicates 0, dead 0, queued 0, never arrived 0, lost 0, unexpected 0",
            ),
            (
                &[PUBLISHED, Ledger::handled, Ledger::handled],
                "published 1, confirmed 1, handled 1, duplicates 1, dead 0, queued 0, never arrived 0, lost 0, unexpected 0",
            ),
            (
                &[PUBLISHED, Ledger::dead],
                "published 1, confirmed 1, handled 0, duplicates 0, dead 1, queued 0, never arrived 0, lost 0, unexpected 0",
            ),
            (
                &[PUBLISHED, Ledger::queued],
                "published 1, confirmed 1, handled 0, duplicates 0, dead 0, queued 1, never arrived 0, lost 0, unexpected 0",
            ),
            (
                &[PUBLISHED, Ledger::handled, Ledger::dead],
                "published 1, confirmed 1, handled 1, duplicates 1, dead 0, queued 0, never arrived 0, lost 0, unexpected 0",
            ),
            (
                &[PUBLISHED],
                "published 1, confirmed 1, handled 0, duplicates 0, dead 0, queued 0, never arrived 0, lost 1, unexpected 0",
            ),
            (
                &[Ledger::attempted],
                "published 1, confirmed 0, handled 0, duplicates 0, dead 0, queued 0, never arrived 1, lost 0, unexpected 0",
            ),
            (
                &[Ledger::attempted, Ledger::handled],
                "published 1, confirmed 0, handled 1, duplicates 0, dead 0, queued 0, never arrived 0, lost 0, unexpected 0",
            ),
            (
                &[Ledger::handled],
                "published 0, confirmed 0, handled 1, duplicates 0, dead 0, queued 0, never arrived 0, lost 0, unexpected 1",
            ),
        ];
        for (deeds, expected) in rows {
            let ledger = Ledger::default();
            for deed in deeds {
                deed(&ledger, 1);
            }
            assert_eq!(ledger.balance("test").to_string(), format!("test: {expected}"));
        }
    }

    #[test]
    #[should_panic(expected = "lost: [7]")]
    fn what_is_lost_is_a_failure() {
        let ledger = Ledger::default();
        ledger.attempted(7);
        ledger.confirmed(7);
        let _ = ledger.balance("test").check();
    }

    #[test]
    #[should_panic(expected = "unexpected: [8]")]
    fn what_nobody_published_is_a_failure() {
        let ledger = Ledger::default();
        ledger.handled(8);
        let _ = ledger.balance("test").check();
    }
}
