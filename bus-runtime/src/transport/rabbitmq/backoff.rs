//! How long to wait before the next attempt to come back, and how often all that belong together may try.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// The first attempt after a loss is made at once; the waits after it grow from here.
const WAIT_MIN: Duration = Duration::from_millis(500);
/// No wait is longer, so that a worker is back half a minute after its broker at the latest.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// No wait is longer while nobody listens at the broker's port: such an attempt costs nobody more than a packet, and the end of
/// a restart should not find its workers asleep.
const WAIT_MAX_UNHEARD: Duration = Duration::from_secs(3);

/// What stood for so long before it was lost was fine: coming back starts from the beginning. What is lost sooner again and
/// again must not be made anew without a pause.
const FINE_AFTER: Duration = Duration::from_secs(10);

/// Grows exponentially, with full jitter, so that many workers do not come back in the same instant.
#[derive(Debug)]
pub(super) struct Backoff {
    failures: u32,
    longest: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { failures: 0, longest: LONGEST_PAUSE }
    }
}

impl Backoff {
    /// What was made stood for so long.
    pub(super) fn stood_for(&mut self, time: Duration) {
        if time >= FINE_AFTER {
            self.failures = 0;
        }
    }

    /// No wait is longer from now on.
    pub(super) fn at_most(&mut self, longest: Duration) {
        self.longest = longest;
    }

    /// The wait before the next attempt: none before the first one.
    pub(super) fn next(&mut self) -> Duration {
        let failures = self.failures;
        self.failures = failures.saturating_add(1);
        match failures {
            0 => Duration::ZERO,
            _ => {
                let ceiling = WAIT_MIN.saturating_mul(1 << failures.min(10)).min(self.longest);
                WAIT_MIN + ceiling.saturating_sub(WAIT_MIN).mul_f64(crate::seam::random())
            }
        }
    }
}

/// What an attempt to connect ended with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The machine is there, but nobody listens at the port.
    NobodyListens,
    Other,
}

/// The attempts of all connections of one worker.
#[derive(Debug)]
pub(super) struct Pace {
    /// When the next attempts may be made, the earlier one first.
    turns: Mutex<[Option<Instant>; Self::TURNS]>,
    /// No pause is longer.
    longest_pause: Duration,
    /// Counts the times that a connection came back.
    arrivals: watch::Sender<u64>,
}

impl Pace {
    /// So many attempts in so long: one for each connection of a worker. A broker that comes back has to serve all workers.
    const TURNS: usize = 2;
    const WINDOW: Duration = Duration::from_secs(1);
    /// The first attempts of many workers that were lost in the same instant are spread over so long.
    const SPREAD: Duration = Duration::from_millis(250);

    pub(super) fn new(longest_pause: Duration) -> Self {
        Self { turns: Mutex::default(), longest_pause, arrivals: watch::Sender::new(0) }
    }

    /// How long the pauses may become after this failure.
    pub(super) fn longest_pause(&self, failure: Failure) -> Duration {
        match failure {
            Failure::NobodyListens => self.longest_pause.min(WAIT_MAX_UNHEARD),
            Failure::Other => self.longest_pause,
        }
    }

    /// Takes the next turn, and says when it is.
    pub(super) fn turn(&self) -> Instant {
        let now = Instant::now();
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let [earlier, later] = *turns;
        let at = earlier.map_or(now, |earlier| now.max(earlier + Self::WINDOW));
        *turns = [later, Some(at)];
        at
    }

    pub(super) fn spread() -> Duration {
        Self::SPREAD.mul_f64(crate::seam::random())
    }

    /// A connection has come back: the others need not wait any longer.
    pub(super) fn arrived(&self) {
        self.arrivals.send_modify(|arrivals| *arrivals += 1);
    }

    pub(super) fn arrivals(&self) -> watch::Receiver<u64> {
        self.arrivals.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stood_for_long_starts_again() {
        let mut backoff = Backoff::default();
        backoff.next();
        backoff.stood_for(FINE_AFTER / 2);
        assert!(backoff.next() >= WAIT_MIN);
        backoff.stood_for(FINE_AFTER);
        assert_eq!(backoff.next(), Duration::ZERO);
    }

    #[test]
    fn grows_within_its_bounds() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next(), Duration::ZERO);
        for failures in 1..200 {
            let wait = backoff.next();
            assert!(wait >= WAIT_MIN && wait <= LONGEST_PAUSE, "{failures}: {wait:?}");
            assert!(wait <= WAIT_MIN * (1 << failures.min(10)), "{failures}: {wait:?}");
        }
        backoff.at_most(WAIT_MAX_UNHEARD);
        assert!((0..200).all(|_| backoff.next() <= WAIT_MAX_UNHEARD));
    }

    #[tokio::test(start_paused = true)]
    async fn never_more_than_two_attempts_in_a_second() {
        let pace = Pace::new(LONGEST_PAUSE);
        let mut made = Vec::new();
        for wait in [0, 0, 0, 100, 700, 0, 5_000, 0, 0, 999, 0, 1, 0] {
            tokio::time::sleep(Duration::from_millis(wait)).await;
            let at = pace.turn();
            tokio::time::sleep_until(at).await;
            made.push(at);
        }
        assert!(made.windows(3).all(|three| three[2] - three[0] >= Pace::WINDOW), "{made:?}");
        assert_eq!(made[0], made[1], "both connections try at once");
    }
}
