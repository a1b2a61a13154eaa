//! The pace of a worker: how often it takes a message, when its handlers have a `rate_limit`.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::member::Member;
use crate::policy::RateLimit;
use crate::seam;

/// How far a worker may fall behind and catch up: timers tick in milliseconds, and a busy machine wakes late.
const SLACK: Duration = Duration::from_millis(20);

/// The pace of one queue: that of its slowest handler.
#[derive(Debug)]
pub(super) struct Pace(Option<Steps>);

#[derive(Debug)]
struct Steps {
    limit: RateLimit,
    /// When the next message may be taken.
    next: Instant,
}

impl Pace {
    pub(super) fn of(members: &[Member]) -> Self {
        let limits = members.iter().filter_map(|member| member.entry.rate_limit);
        let slowest = limits.max_by_key(|limit| limit.interval());
        Self(slowest.map(|limit| Steps { limit, next: seam::now() }))
    }

    /// How many messages may be fetched ahead: never more than the handlers can work off soon.
    pub(super) fn prefetch(&self, wanted: u16) -> u16 {
        self.0.as_ref().map_or(wanted, |steps| steps.limit.prefetch(wanted))
    }

    /// Waits until a message may be taken.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub(super) async fn turn(&self) {
        if let Some(steps) = self.0.as_ref().filter(|steps| steps.next > seam::now()) {
            sleep_until(steps.next).await;
        }
    }

    /// A message is taken.
    pub(super) fn step(&mut self) {
        if let Some(Steps { limit, next }) = &mut self.0 {
            let now = seam::now();
            *next = (*next).max(now.checked_sub(SLACK).unwrap_or(now)) + limit.interval();
        }
    }
}
