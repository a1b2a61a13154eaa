//! How long to wait before the next attempt to come back.

use std::time::Duration;

/// The first attempt after a loss is made at once; the waits after it grow from here.
const WAIT_MIN: Duration = Duration::from_millis(500);
/// No wait is longer, so that a worker is back half a minute after its broker at the latest.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// What stood for so long before it was lost was fine: coming back starts from the beginning. What is lost sooner again and
/// again must not be made anew without a pause.
const FINE_AFTER: Duration = Duration::from_secs(10);

/// Grows exponentially, with full jitter, so that many workers do not come back in the same instant.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// What was made stood for so long.
    pub(super) fn stood_for(&mut self, time: Duration) {
        if time >= FINE_AFTER {
            self.failures = 0;
        }
    }

    /// The wait before the next attempt: none before the first one.
    pub(super) fn next(&mut self) -> Duration {
        let failures = self.failures;
        self.failures = failures.saturating_add(1);
        match failures {
            0 => Duration::ZERO,
            _ => {
                let ceiling = WAIT_MIN.saturating_mul(1 << failures.min(10)).min(WAIT_MAX);
                WAIT_MIN + ceiling.saturating_sub(WAIT_MIN).mul_f64(crate::seam::random())
            }
        }
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
            assert!(wait >= WAIT_MIN && wait <= WAIT_MAX, "{failures}: {wait:?}");
            assert!(wait <= WAIT_MIN * (1 << failures.min(10)), "{failures}: {wait:?}");
        }
    }
}
