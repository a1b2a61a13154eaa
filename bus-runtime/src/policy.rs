//! How a handler's failures are treated: when to try again, and what an error means.

use std::fmt;
use std::time::Duration;

/// Attempts of a handler after the first one; enough to get over a restart of what the handler depends on.
pub(crate) const RETRIES_DEFAULT: u32 = 5;
/// The most retries that can be asked for; the delivery limit of our queues is 100 and must not be met first.
pub(crate) const RETRIES_MAX: u32 = 90;
/// The longest delay of one retry; the ladder of delay queues goes to 2^28 s, about 8.5 years.
pub(crate) const DELAY_MAX: Duration = Duration::from_secs((1 << 28) - 1);
/// Into how many steps the jitter of a retry is drawn; each is a delay queue on the broker, shared by all handlers.
pub const JITTER_BUCKETS: u32 = 4;

/// When a failed message is tried again.
///
/// The delay before retry `n` (from 1) is `min(initial * factor^(n-1), max_delay)`, lengthened by up to `jitter` and never
/// shortened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Retries after the first attempt; 0 means that a failure is final.
    pub max: u32,
    /// Delay before the first retry.
    pub initial: Duration,
    /// By how much each delay is longer than the one before.
    pub factor: f64,
    /// No delay is longer, but for the jitter.
    pub max_delay: Duration,
    /// By what part a delay may be lengthened; 0.25 is 25 %.
    pub jitter: f64,
    /// No retry later than this after the first failure, but for the jitter.
    pub give_up_after: Option<Duration>,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max: RETRIES_DEFAULT,
            initial: Duration::from_secs(1),
            factor: 2.0,
            max_delay: Duration::from_secs(60),
            jitter: 0.25,
            give_up_after: None,
        }
    }
}

impl RetryPolicy {
    /// No retries.
    pub const NONE: Self = Self {
        max: 0,
        initial: Duration::ZERO,
        factor: 1.0,
        max_delay: Duration::ZERO,
        jitter: 0.0,
        give_up_after: None,
    };

    /// The delay before retry `n` (from 1), with `lot` of [`JITTER_BUCKETS`] steps of jitter, in whole milliseconds.
    ///
    /// ```
    /// use bus_runtime::RetryPolicy;
    /// use std::time::Duration;
    ///
    /// let policy = RetryPolicy::default();
    /// assert_eq!(policy.delay(1, 0), Duration::from_secs(1));
    /// assert_eq!(policy.delay(3, 0), Duration::from_secs(4));
    /// assert_eq!(policy.delay(50, 0), Duration::from_secs(60));
    /// assert_eq!(policy.delay(1, 3), Duration::from_millis(1188));
    /// ```
    #[must_use]
    pub fn delay(&self, n: u32, lot: u32) -> Duration {
        let exponent = i32::try_from(n.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = self.initial.as_secs_f64() * self.factor.powi(exponent);
        let capped = grown.min(self.max_delay.as_secs_f64());
        let lot = f64::from(lot.min(JITTER_BUCKETS - 1)) / f64::from(JITTER_BUCKETS);
        let millis = (capped * (1.0 + self.jitter * lot) * 1000.0).round();
        Duration::try_from_secs_f64(millis / 1000.0).map_or(DELAY_MAX, |delay| {
            Duration::from_millis(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX)).min(DELAY_MAX)
        })
    }

    /// Every delay that [`delay`](Self::delay) can give, ascending and without repetition.
    #[must_use]
    pub fn delays(&self) -> Vec<Duration> {
        let mut delays: Vec<_> = (1..=self.max)
            .flat_map(|n| (0..JITTER_BUCKETS).map(move |lot| (n, lot)))
            .map(|(n, lot)| self.delay(n, lot))
            .collect();
        delays.sort_unstable();
        delays.dedup();
        delays
    }
}

/// When a handler rests because it fails: the option `breaker`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// After so many failures.
    pub failures: u32,
    /// Failures longer ago do not count.
    pub window: Duration,
    /// For how long its queue is not consumed.
    pub pause: Duration,
    /// After so many successes of one message at a time it works as before.
    pub successes: u32,
}

impl BreakerPolicy {
    /// What holds where the option says nothing: five failures in a minute, 30 seconds, one success.
    pub const DEFAULT: Self =
        Self { failures: 5, window: Duration::from_secs(60), pause: Duration::from_secs(30), successes: 1 };
}

impl Default for BreakerPolicy {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How many messages a handler takes in which time: the option `rate_limit`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// So many, at least 1.
    pub count: u32,
    /// In this time.
    pub per: Duration,
}

impl RateLimit {
    /// The time from one message to the next.
    #[must_use]
    pub fn interval(self) -> Duration {
        self.per / self.count.max(1)
    }

    /// How many of the messages that are wanted may be fetched ahead: no more than are handled in [a minute](AHEAD_MAX), as
    /// those that wait here cannot be handled by anybody else.
    #[must_use]
    pub fn prefetch(self, wanted: u16) -> u16 {
        let soon = AHEAD_MAX.as_nanos() / self.interval().as_nanos().max(1);
        wanted.min(u16::try_from(soon).unwrap_or(u16::MAX)).max(1)
    }
}

/// As the option is written: `100/s`, `30/m`, `10/h`.
impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, per } = self;
        match per.as_secs() {
            1 => write!(f, "{count}/s"),
            60 => write!(f, "{count}/m"),
            3600 => write!(f, "{count}/h"),
            _ => write!(f, "{count} in {per:?}"),
        }
    }
}

/// For how long messages of a handler with a rate limit may wait in its process.
pub const AHEAD_MAX: Duration = Duration::from_secs(60);

/// What an `Err`, a panic or a timeout means for the message: the option `on_error`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OnError {
    /// Try again by the retry policy, then the dead letters.
    #[default]
    Retry,
    /// The dead letters, at once.
    DeadLetter,
    /// Back to the queue, at once.
    Requeue,
    /// Acknowledge and forget it.
    Discard,
}

/// What happens to messages for a queue that holds its `max_length`: the option `overflow`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WhenFull {
    /// The oldest message goes to the dead letters, at most once (`x-overflow` is `drop-head`).
    DropOldest,
    /// The new message is refused, which is an error for its publisher (`x-overflow` is `reject-publish`, here and below).
    #[default]
    RejectNew,
    /// Publishers that know the handler wait for room, up to the publish timeout.
    Block,
    /// Publishers that know the handler slow down as the queue fills, and wait when it is full.
    Adaptive,
}

/// When a message is acknowledged: the option `ack`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AckMode {
    /// When the handler has succeeded, and what it published is confirmed.
    #[default]
    OnSuccess,
    /// Before the handler starts: at most once.
    OnReceive,
    /// As the [`Outcome`](crate::Outcome) says that the handler returns.
    Manual,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r2_delays_grow_up_to_their_cap() {
        let policy = |initial, factor, max_delay| RetryPolicy {
            initial: Duration::from_millis(initial),
            factor,
            max_delay: Duration::from_millis(max_delay),
            ..RetryPolicy::default()
        };
        let table = [
            (policy(1_000, 2.0, 60_000), [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]),
            (policy(500, 1.0, 60_000), [500; 8]),
            (policy(100, 3.0, 1_000), [100, 300, 900, 1_000, 1_000, 1_000, 1_000, 1_000]),
            (policy(1_000, 1.5, 4_000), [1_000, 1_500, 2_250, 3_375, 4_000, 4_000, 4_000, 4_000]),
        ];
        for (policy, wanted) in table {
            let delays: Vec<_> = (1..=8).map(|n| policy.delay(n, 0).as_millis()).collect();
            assert_eq!(delays, wanted, "{policy:?}");
        }
    }

    #[test]
    fn r2_jitter_only_lengthens() {
        for jitter in [0.0, 0.1, 0.25, 1.0] {
            let policy = RetryPolicy { jitter, ..RetryPolicy::default() };
            for n in 1..=RETRIES_MAX {
                let base = policy.delay(n, 0);
                let longest = base.mul_f64(1.0 + jitter);
                let drawn: Vec<_> = (0..JITTER_BUCKETS).map(|lot| policy.delay(n, lot)).collect();
                assert!(drawn.iter().all(|delay| (base..=longest).contains(delay)), "{n}: {drawn:?}");
                assert!(drawn.is_sorted(), "{n}: {drawn:?}");
                assert!(drawn.iter().all(|delay| *delay >= base && base <= policy.max_delay), "{n}");
            }
        }
    }

    #[test]
    fn a_rate_limit_fetches_what_is_handled_in_a_minute() {
        let limit = |count, seconds| RateLimit { count, per: Duration::from_secs(seconds) };
        let table = [
            (limit(100, 1), 32, 32),
            (limit(1, 1), 100, 60),
            (limit(2, 60), 32, 2),
            (limit(10, 3_600), 32, 1),
            (limit(u32::MAX, 1), 32, 32),
        ];
        for (limit, wanted, prefetch) in table {
            assert_eq!(limit.prefetch(wanted), prefetch, "{limit:?}");
        }
    }
}
