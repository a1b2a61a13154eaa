//! How much each handler did, second by second for ten minutes.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::counters::Counters;

/// Seconds that are kept.
pub(crate) const SECONDS: usize = 600;

/// What a handler did in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) handled: u32,
    pub(crate) failed: u32,
    pub(crate) dead: u32,
}

/// What each handler did, second by second.
#[derive(Debug)]
pub(crate) struct Rates(Vec<Line>);

#[derive(Debug, Default)]
struct Line {
    /// The counters as they were.
    before: [u64; 3],
    steps: VecDeque<Step>,
}

impl Rates {
    pub(super) fn of(handlers: usize) -> Self {
        Self((0..handlers).map(|_| Line::default()).collect())
    }

    /// Puts in front what a handler did before this process.
    pub(super) fn restore(&mut self, handler: usize, before: Vec<Step>) {
        let Some(line) = self.0.get_mut(handler) else { return };
        let own = std::mem::replace(&mut line.steps, before.into());
        line.steps.extend(own);
        let too_many = line.steps.len().saturating_sub(SECONDS);
        line.steps.drain(..too_many);
    }

    pub(super) fn sample(&mut self, counters: &[Arc<Counters>]) {
        for (line, counters) in self.0.iter_mut().zip(counters) {
            line.take([counters.handled.get(), counters.failed.get(), counters.dead_lettered.get()]);
        }
    }

    /// The last so many seconds of one handler, the oldest first; less when it runs for less.
    pub(crate) fn last(&self, handler: usize, seconds: usize) -> impl Iterator<Item = Step> {
        let steps = self.0.get(handler).map(|line| &line.steps);
        let skipped = steps.map_or(0, |steps| steps.len().saturating_sub(seconds));
        steps.into_iter().flatten().skip(skipped).copied()
    }
}

impl Line {
    fn take(&mut self, now: [u64; 3]) {
        let mut since = [0; 3];
        for ((since, now), before) in since.iter_mut().zip(now).zip(self.before) {
            *since = u32::try_from(now.saturating_sub(before)).unwrap_or(u32::MAX);
        }
        let [handled, failed, dead] = since;
        self.before = now;
        if self.steps.len() == SECONDS {
            self.steps.pop_front();
        }
        self.steps.push_back(Step { handled, failed, dead });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_is_what_came_since_the_one_before() {
        let counters = [Arc::new(Counters::default())];
        let mut rates = Rates::of(1);
        for count in [3, 0, 2] {
            counters[0].handled.add(count);
            rates.sample(&counters);
        }
        let handled: Vec<u32> = rates.last(0, 2).map(|step| step.handled).collect();
        assert_eq!(handled, [0, 2]);
        for _ in 0..SECONDS + 5 {
            rates.sample(&counters);
        }
        assert_eq!(rates.last(0, usize::MAX).count(), SECONDS);
        assert_eq!(rates.last(7, 10).count(), 0);
    }
}
