//! What has happened so far, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use crate::breaker::{Breaker, BreakerState};
use crate::outcome::DeadLetterReason;
use crate::topology::HandlerEntry;

mod ending;
#[cfg_attr(not(feature = "admin"), allow(dead_code, reason = "the admin port shows it"))]
mod histogram;

pub(crate) use ending::{Ending, Sending};
pub(crate) use histogram::Distribution;
#[cfg(feature = "admin")]
pub(crate) use histogram::Exemplar;
pub(crate) use histogram::Histogram;

/// What one handler has done so far, and its breaker. Relaxed: each number is exact, but they are not read at one instant.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) called: Counter,
    pub(crate) duplicates: Counter,
    pub(crate) batches: Counter,
    pub(crate) handled: Counter,
    pub(crate) failed: Counter,
    pub(crate) retried: Counter,
    pub(crate) requeued: Counter,
    pub(crate) dead_lettered: Counter,
    pub(crate) filtered: Counter,
    pub(crate) no_context: Counter,
    pub(crate) discarded: Counter,
    pub(crate) published: Counter,
    pub(crate) slot_wait: TimeCounter,
    pub(crate) breaker: Breaker,
    pub(crate) stuck: Gauge,
    pub(crate) expired: Counter,
    /// Calls that hold a thread of the runtime.
    pub(crate) blocking: Gauge,
    /// Messages whose copies the broker does not take: for a retry, or for the dead letters.
    pub(crate) held_back: Gauge,
    /// Attempts that failed, by [`Ending`].
    pub(crate) failures: [Counter; Ending::ALL.len()],
    /// Copies for another attempt that were published without a delay.
    pub(crate) retried_at_once: Counter,
    /// Copies for another attempt that waited.
    pub(crate) retried_later: Counter,
    /// Messages that went to the dead letters, by reason.
    pub(crate) dead: [Counter; DeadLetterReason::ALL.len()],
    pub(crate) in_flight: Gauge,
    pub(crate) last_handled: TimeStamp,
    /// How long calls took, by [`Ending`].
    pub(crate) durations: [Histogram; Ending::ALL.len()],
    /// From when a message was published until it was handled.
    pub(crate) critical_time: Histogram,
    /// From when a message was published until its handler was called.
    pub(crate) queue_time: Histogram,
}

/// The counters of the commands that an app has executed.
#[derive(Debug, Default)]
pub(crate) struct CommandCounters {
    pub(crate) executed: Counter,
    pub(crate) in_process: Counter,
    pub(crate) failed: Counter,
    pub(crate) timed_out: Counter,
}

impl Counters {
    /// Those of a handler, which nobody else is told.
    pub(crate) fn with_breaker(entry: &HandlerEntry) -> Self {
        Self { breaker: Breaker::new(entry.breaker), ..Self::default() }
    }

    /// An attempt has ended.
    pub(crate) fn ended(&self, ending: Ending) {
        if let (false, Some(failures)) = (ending == Ending::Done, self.failures.get(ending as usize)) {
            failures.add_one();
        }
    }

    /// A message went to the dead letters.
    pub(crate) fn dead_letter(&self, reason: DeadLetterReason) {
        self.dead_lettered.add_one();
        if let Some(dead) = self.dead.get(reason as usize) {
            dead.add_one();
        }
    }

    /// A copy for another attempt was published.
    pub(crate) fn retry(&self, delay: Duration) {
        self.retried.add_one();
        if delay.is_zero() { self.retried_at_once.add_one() } else { self.retried_later.add_one() }
    }
}

/// A number that only grows.
#[derive(Debug)]
pub(crate) struct Counter {
    value: AtomicU64,
    /// The program's own recorder, where it has one.
    mirror: metrics::Counter,
}

impl Default for Counter {
    fn default() -> Self {
        Self::mirrored(metrics::Counter::noop())
    }
}

impl Counter {
    /// One that passes on what it is told.
    pub(crate) fn mirrored(mirror: metrics::Counter) -> Self {
        Self { value: AtomicU64::new(0), mirror }
    }

    pub(crate) fn add_one(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, count: usize) {
        self.value.fetch_add(count as u64, Ordering::Relaxed);
        self.mirror.increment(count as u64);
    }

    pub(crate) fn get(&self) -> u64 {
        self.value.load(Ordering::Relaxed)
    }
}

/// A number that grows and shrinks.
#[derive(Debug, Default)]
pub(crate) struct Gauge(AtomicU64);

impl Gauge {
    pub(crate) fn add_one(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn take_one(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// One more for as long as the guard lives.
    pub(crate) fn enter(&self) -> impl Drop + '_ {
        struct Inside<'g>(&'g Gauge);
        impl Drop for Inside<'_> {
            fn drop(&mut self) {
                self.0.take_one();
            }
        }
        self.add_one();
        Inside(self)
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// When something happened last.
#[derive(Debug, Default)]
pub(crate) struct TimeStamp(AtomicU64);

impl TimeStamp {
    pub(crate) fn set(&self, at: SystemTime) {
        let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        self.0.store(u64::try_from(since.as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// In seconds since 1970; 0 when it never did.
    #[cfg(feature = "admin")]
    pub(crate) fn get(&self) -> f64 {
        Duration::from_millis(self.0.load(Ordering::Relaxed)).as_secs_f64()
    }
}

/// A time that only grows.
#[derive(Debug, Default)]
pub(crate) struct TimeCounter(AtomicU64);

impl TimeCounter {
    pub(crate) fn add(&self, time: Duration) {
        // 584 years fit.
        self.0.fetch_add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

/// What an app has done since it started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Messages that the broker has confirmed.
    pub published: u64,
    /// Those of them that no queue wanted.
    pub unroutable: u64,
    /// Messages that were refused, because a queue was full.
    pub refused: u64,
    /// Messages that had to wait for room in a full queue (`overflow = "block"` and `"adaptive"`).
    pub waited: u64,
    /// Messages that were slowed down, because a queue was nearly full (`overflow = "adaptive"`).
    pub slowed: u64,
    /// The commands that it has executed.
    pub commands: CommandStats,
    /// The sessions that were opened here.
    pub sessions: SessionStats,
    /// Each handler, in the order of the plan.
    pub handlers: Vec<HandlerStats>,
}

/// What became of the commands that an app has executed since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandStats {
    /// All of them.
    pub executed: u64,
    /// Those whose handler is in this process, so that the broker had nothing to do with them.
    pub in_process: u64,
    /// Those that were an error other than a timeout.
    pub failed: u64,
    /// Those that timed out.
    pub timed_out: u64,
    /// Replies that came when nobody waited for them any more.
    pub late_replies: u64,
}

/// What became of the sessions of an app, and of the messages of their own handlers, since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionStats {
    /// All of them.
    pub opened: u64,
    /// Those that have not ended.
    pub open: u64,
    /// Handlers that sessions have now.
    pub handlers: u64,
    /// How often their handlers were called.
    pub called: u64,
    /// Messages that they have handled with success.
    pub handled: u64,
    /// Calls that ended in an error, a panic or a timeout; their messages are not handled again.
    pub failed: u64,
}

/// What one handler has done since the app started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandlerStats {
    /// Its name.
    pub name: String,
    /// `audit`, `react`, `event`, `task` or `command`.
    pub kind: &'static str,
    /// Its queue.
    pub queue: String,
    /// How often it was called, attempts after the first included; a method of instances, for how many of them.
    pub called: u64,
    /// Messages with an idempotency key that it had handled already, for which it was not called.
    pub duplicates: u64,
    /// How often a handler with `batch(..)` was called; `called` counts the messages.
    pub batches: u64,
    /// Messages that it has handled with success; a method of instances, for how many of them.
    pub handled: u64,
    /// Attempts that ended in an error, a panic or a timeout.
    pub failed: u64,
    /// Copies that were published for another attempt.
    pub retried: u64,
    /// Copies that were put back at the handler's wish.
    pub requeued: u64,
    /// Messages that went to the dead letters.
    pub dead_lettered: u64,
    /// Messages that its filter did not want.
    pub filtered: u64,
    /// Messages that name no project, so that the instances of a method could not be found.
    pub no_context: u64,
    /// Messages that were acknowledged although the handler failed.
    pub discarded: u64,
    /// Commands that it was not called for, because their senders had given up before it could begin.
    pub expired: u64,
    /// Messages that it has published: those that were held until it had succeeded, and then confirmed.
    pub published: u64,
    /// For how long all slots of its queue were taken while the next message was there already. When this grows as fast as
    /// time does, the handler needs more `concurrency`, or more workers.
    pub slot_wait: Duration,
    /// Calls that go on now although they have timed out, each in its slot: a plain `fn` cannot be interrupted.
    pub stuck: u64,
    /// What its breaker does.
    pub breaker: BreakerState,
    /// How often its breaker has opened.
    pub breaker_opened: u64,
}
