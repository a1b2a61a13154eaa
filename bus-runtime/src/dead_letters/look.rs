//! Looking at dead letters: a list, groups of those that failed alike, and numbers.

use std::collections::BTreeMap;
use std::time::SystemTime;

use super::{DeadLetters, Letter, Selection, Step};
use crate::error::Error;
use crate::names::QueueName;

/// Groups that are told apart: enough for a person, and an end to the memory they take.
const GROUPS_MAX: usize = 10_000;

/// Letters that were found.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Listing {
    /// The letters, oldest first within each queue.
    pub letters: Vec<Letter>,
    /// How many lie in the chosen queues, meant or not.
    pub total: u64,
    /// Whether the limit was reached before everything was looked at.
    pub is_cut: bool,
}

/// Letters that failed alike: the same handler, reason and type of error, and the same text but for numbers, ids and quoted words.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Group {
    /// Eight characters that name the group.
    pub name: String,
    /// The handler; the queue where none is known.
    pub handler: String,
    /// Why they are dead.
    pub reason: String,
    /// The type of their error.
    pub error_type: Option<String>,
    /// The error of the first of them.
    pub error: Option<String>,
    /// The id of the first of them.
    pub example: String,
    /// How many there are.
    pub count: u64,
    /// When the first of them came here.
    pub first: Option<SystemTime>,
    /// When the last of them came here.
    pub last: Option<SystemTime>,
}

/// The groups that letters fall into.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Groups {
    /// The groups, the largest first.
    pub groups: Vec<Group>,
    /// Letters of more groups than are told apart.
    pub others: u64,
}

/// What lies in one queue of dead letters.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct QueueStats {
    /// The queue of dead letters.
    pub queue: QueueName,
    /// The queues whose messages end here.
    pub of: Vec<QueueName>,
    /// How many letters are meant.
    pub letters: u64,
    /// The bytes of their bodies.
    pub bytes: u64,
    /// How many of them for each reason.
    pub reasons: BTreeMap<String, u64>,
    /// When the oldest came here.
    pub oldest: Option<SystemTime>,
    /// When the newest came here.
    pub newest: Option<SystemTime>,
}

impl DeadLetters {
    /// The first letters that are meant, at most so many.
    ///
    /// # Errors
    /// What the broker says.
    ///
    /// # Cancel safety
    /// When the future is dropped, everything goes back.
    pub async fn list(&self, selection: &Selection, limit: usize) -> Result<Listing, Error> {
        let queues = self.chosen(selection).await?;
        let mut listing = Listing { total: self.count(&queues).await?, ..Listing::default() };
        let mut walk = self.walk(queues, selection);
        while listing.letters.len() < limit {
            match walk.next_letter().await? {
                Some(found) => listing.letters.push(found.letter),
                None => break,
            }
        }
        listing.is_cut = listing.letters.len() == limit && walk.seen < listing.total;
        walk.end_queue().await?;
        Ok(listing)
    }

    /// Lets somebody see every letter that is meant, one after the other; none is kept in memory.
    ///
    /// # Errors
    /// What the broker says, and what `see` says: it ends the walk.
    ///
    /// # Cancel safety
    /// When the future is dropped, everything goes back.
    pub async fn for_each(
        &self,
        selection: &Selection,
        mut see: impl FnMut(Letter) -> Result<(), Error> + Send,
    ) -> Result<u64, Error> {
        let mut walk = self.walk(self.chosen(selection).await?, selection);
        let mut count = 0;
        while let Some(found) = walk.next_letter().await? {
            count += 1;
            if let Err(error) = see(found.letter) {
                walk.end_queue().await?;
                return Err(error);
            }
        }
        Ok(count)
    }

    /// The groups that the letters fall into.
    ///
    /// # Errors
    /// What the broker says.
    ///
    /// # Cancel safety
    /// When the future is dropped, everything goes back.
    pub async fn groups(&self, selection: &Selection) -> Result<Groups, Error> {
        let mut sorted = Sorted::default();
        self.for_each(selection, |letter| {
            sorted.add(&letter);
            Ok(())
        })
        .await?;
        Ok(sorted.groups())
    }

    /// The first letters that are meant, at most so many, and the groups that all of them fall into: in one walk.
    #[cfg(feature = "dashboard")]
    pub(crate) async fn survey(
        &self,
        selection: &Selection,
        limit: usize,
    ) -> Result<(Listing, Groups), Error> {
        let (mut listing, mut sorted) = (Listing::default(), Sorted::default());
        listing.total = self.count(&self.chosen(selection).await?).await?;
        self.for_each(selection, |letter| {
            sorted.add(&letter);
            match listing.letters.len() < limit {
                true => listing.letters.push(letter),
                false => listing.is_cut = true,
            }
            Ok(())
        })
        .await?;
        Ok((listing, sorted.groups()))
    }

    /// What lies in each of the queues.
    ///
    /// # Errors
    /// What the broker says.
    ///
    /// # Cancel safety
    /// When the future is dropped, everything goes back.
    pub async fn stats(&self, selection: &Selection) -> Result<Vec<QueueStats>, Error> {
        let mut all = Vec::new();
        for queue in self.chosen(selection).await? {
            let mut stats = QueueStats {
                queue: queue.name.clone(),
                of: queue.of.clone(),
                letters: 0,
                bytes: 0,
                reasons: BTreeMap::new(),
                oldest: None,
                newest: None,
            };
            let mut walk = self.walk(vec![queue], selection);
            while let Step::Found(found) = walk.next().await? {
                stats.add(&found.letter);
            }
            walk.end_queue().await?;
            all.push(stats);
        }
        Ok(all)
    }
}

/// Letters while they are sorted into groups.
#[derive(Default)]
struct Sorted {
    groups: BTreeMap<String, Group>,
    others: u64,
}

impl Sorted {
    fn add(&mut self, letter: &Letter) {
        let name = letter.group();
        if !self.groups.contains_key(&name) && self.groups.len() == GROUPS_MAX {
            self.others += 1;
            return;
        }
        self.groups.entry(name.clone()).or_insert_with(|| Group::of(name, letter)).add(letter);
    }

    fn groups(self) -> Groups {
        let mut groups: Vec<Group> = self.groups.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.count));
        Groups { groups, others: self.others }
    }
}

impl Group {
    fn of(name: String, letter: &Letter) -> Self {
        Self {
            name,
            handler: letter.handler.clone().unwrap_or_else(|| letter.queue.clone()),
            reason: letter.reason.clone(),
            error_type: letter.error_type.clone(),
            error: letter.error.clone(),
            example: letter.id.clone(),
            count: 0,
            first: None,
            last: None,
        }
    }

    fn add(&mut self, letter: &Letter) {
        self.count += 1;
        (self.first, self.last) = spread(self.first, self.last, letter.last_failed_at);
    }
}

impl QueueStats {
    fn add(&mut self, letter: &Letter) {
        self.letters += 1;
        self.bytes += letter.envelope.body.len() as u64;
        // Reasons are few; one that somebody made up must not fill the memory.
        if self.reasons.len() < GROUPS_MAX || self.reasons.contains_key(&letter.reason) {
            *self.reasons.entry(letter.reason.clone()).or_default() += 1;
        }
        (self.oldest, self.newest) = spread(self.oldest, self.newest, letter.last_failed_at);
    }
}

type Time = Option<SystemTime>;

fn spread(first: Time, last: Time, time: Time) -> (Time, Time) {
    let Some(time) = time else { return (first, last) };
    (Some(first.map_or(time, |first| first.min(time))), Some(last.map_or(time, |last| last.max(time))))
}
