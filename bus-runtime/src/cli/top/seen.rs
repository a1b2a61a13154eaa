//! What there is to show: the numbers of the fleet, its failures, and the groups of its dead letters.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::super::fleet::Line;
use super::super::numbers::{Before, Numbers, gather};
use super::Tab;
use crate::dead_letters::{Control, DeadLetters, Group, Replay, Replayed, Selection};
use crate::error::Error;
use crate::fleet::{Ask, Failure, Reply};
use crate::seam;
use crate::topology::Plan;

/// Looks that the picture of the rate remembers.
const RATES_MAX: usize = 240;
/// Dead letters are looked at less often: the broker has to hand them out for that.
const LETTERS_FRESH: Duration = Duration::from_secs(10);

/// What there is to show.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) numbers: Numbers,
    /// Handled a second, the oldest first.
    pub(super) rates: VecDeque<u64>,
    /// With the worker's name, the newest first.
    pub(super) failures: Vec<(String, Failure)>,
    /// `None` before the first look.
    pub(super) groups: Option<Vec<Group>>,
}

/// Where it comes from.
pub(super) struct Source {
    line: Line,
    plan: Plan,
    letters: DeadLetters,
    before: Option<Before>,
    looked_at: Option<Instant>,
    seen: Seen,
}

impl Source {
    pub(super) fn new(line: Line, plan: Plan, prefix: String) -> Self {
        let letters = DeadLetters::new(std::sync::Arc::clone(&line.transport), &plan, prefix);
        Self { line, plan, letters, before: None, looked_at: None, seen: Seen::default() }
    }

    /// Looks at what a tab shows, and at the numbers.
    ///
    /// # Errors
    /// What the broker says.
    pub(super) async fn look(&mut self, tab: Tab) -> Result<Seen, Error> {
        let has_rates = self.before.is_some();
        self.seen.numbers = gather(&self.line, &self.plan, &mut self.before).await?;
        if has_rates {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a rate is small and not negative"
            )]
            self.seen.rates.push_back(self.seen.numbers.sum(|handler| handler.per_second).round() as u64);
            if self.seen.rates.len() > RATES_MAX {
                self.seen.rates.pop_front();
            }
        }
        match tab {
            Tab::Failures => self.seen.failures = self.failures().await?,
            Tab::DeadLetters if self.looked_at.is_none_or(|at| at.elapsed() >= LETTERS_FRESH) => {
                self.seen.groups = Some(self.letters.groups(&Selection::default()).await?.groups);
                self.looked_at = Some(seam::now());
            }
            _ => {}
        }
        Ok(self.seen.clone())
    }

    async fn failures(&self) -> Result<Vec<(String, Failure)>, Error> {
        let mut all = Vec::new();
        for answer in self.line.ask(Ask::Failures).await?.answers {
            if let Reply::Failures(failures) = answer.reply {
                let worker = answer.worker.peer.name;
                all.extend(failures.into_iter().map(|failure| (worker.clone(), failure)));
            }
        }
        // RFC 3339 sorts as time does.
        all.sort_by(|(_, a), (_, b)| b.at.cmp(&a.at));
        Ok(all)
    }

    /// Sends the dead letters of a group back to their handlers.
    ///
    /// # Errors
    /// What the broker says.
    pub(super) async fn replay(&mut self, group: &str) -> Result<Replayed, Error> {
        let selection = Selection { group: Some(group.to_owned()), ..Selection::default() };
        self.looked_at = None;
        self.letters.replay(&selection, &Replay::default(), Control::default()).await
    }
}
