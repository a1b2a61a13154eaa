//! How long things take: counts in fixed buckets, without a lock.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

/// The upper bounds of the buckets, in seconds: those that OpenTelemetry advises, and what handlers with a timeout of minutes
/// need beyond them.
pub(crate) const BOUNDS: [f64; 17] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0, 120.0];

/// One bucket for each bound, and one for what is beyond.
const BUCKETS: usize = BOUNDS.len() + 1;

/// How many times of which length. Relaxed: each number is exact, but they are not read at one instant.
#[derive(Debug)]
pub(crate) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    nanos: AtomicU64,
    mirror: metrics::Histogram,
    /// Where a trace was sampled: memory is taken by the first.
    exemplars: OnceLock<Box<Mutex<[Option<Exemplar>; BUCKETS]>>>,
}

/// One of the times of a bucket, and the trace that shows what took it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Exemplar {
    pub(crate) trace_id: u128,
    pub(crate) seconds: f64,
    pub(crate) at: SystemTime,
}

impl Default for Histogram {
    fn default() -> Self {
        Self::mirrored(metrics::Histogram::noop())
    }
}

impl Histogram {
    /// One that passes on what it is told.
    pub(crate) fn mirrored(mirror: metrics::Histogram) -> Self {
        Self {
            buckets: array::from_fn(|_| AtomicU64::new(0)),
            nanos: AtomicU64::new(0),
            mirror,
            exemplars: OnceLock::new(),
        }
    }

    /// Notes a time that stands for so many of its like.
    pub(crate) fn observe(&self, time: Duration, weight: u32) {
        let seconds = time.as_secs_f64();
        let bucket = bucket(seconds);
        let weight_64 = u64::from(weight);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(weight_64, Ordering::Relaxed);
        }
        // 584 years fit.
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.fetch_add(nanos.saturating_mul(weight_64), Ordering::Relaxed);
        self.mirror.record_many(seconds, weight as usize);
    }

    /// Notes the trace of a time. One that finds the place taken is left out.
    pub(crate) fn exemplify(&self, time: Duration, trace_id: u128, at: SystemTime) {
        let seconds = time.as_secs_f64();
        let exemplars = self.exemplars.get_or_init(Box::default);
        if let Ok(mut exemplars) = exemplars.try_lock()
            && let Some(exemplar) = exemplars.get_mut(bucket(seconds))
        {
            *exemplar = Some(Exemplar { trace_id, seconds, at });
        }
    }

    /// What it holds now.
    pub(crate) fn read(&self) -> Distribution {
        Distribution {
            buckets: array::from_fn(|at| self.buckets[at].load(Ordering::Relaxed)),
            sum: Duration::from_nanos(self.nanos.load(Ordering::Relaxed)).as_secs_f64(),
            exemplars: self
                .exemplars
                .get()
                .map(|exemplars| *exemplars.lock().unwrap_or_else(PoisonError::into_inner))
                .unwrap_or_default(),
        }
    }
}

/// The bucket of a time.
fn bucket(seconds: f64) -> usize {
    BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len())
}

impl metrics::HistogramFn for Histogram {
    fn record(&self, value: f64) {
        // What is no length of time is not counted.
        if let Ok(time) = Duration::try_from_secs_f64(value) {
            self.observe(time, 1);
        }
    }
}

/// What a histogram held when it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Distribution {
    buckets: [u64; BUCKETS],
    /// The sum of all times, in seconds.
    pub(crate) sum: f64,
    /// For each bucket, if there is one.
    exemplars: [Option<Exemplar>; BUCKETS],
}

impl Distribution {
    /// How many times there were.
    pub(crate) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// For each bound how many times were no longer, then how many there were; the last bound is infinite.
    pub(crate) fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> + use<> {
        let bounds = BOUNDS.into_iter().chain([f64::INFINITY]);
        bounds.zip(self.buckets).scan(0, |sum, (bound, count)| {
            *sum += count;
            Some((bound, *sum))
        })
    }

    /// Both together.
    pub(crate) fn with(self, other: Self) -> Self {
        let newest = |at: usize| {
            let both = [self.exemplars[at], other.exemplars[at]];
            both.into_iter().flatten().max_by_key(|exemplar| exemplar.at)
        };
        Self {
            buckets: array::from_fn(|at| self.buckets[at] + other.buckets[at]),
            sum: self.sum + other.sum,
            exemplars: array::from_fn(newest),
        }
    }

    /// The exemplars of the buckets, in the order of [`cumulative`](Self::cumulative).
    pub(crate) fn exemplars(&self) -> &[Option<Exemplar>] {
        &self.exemplars
    }

    /// The time that this share of all was no longer than, as far as the buckets tell: what is between two bounds is spread
    /// evenly. `None` when there is nothing.
    pub(crate) fn quantile(&self, share: f64) -> Option<f64> {
        let wanted = share * self.count() as f64;
        let (mut lower, mut below) = (0.0, 0);
        for (bound, count) in self.cumulative() {
            if count > below && count as f64 >= wanted {
                let inside = (wanted - below as f64) / (count - below) as f64;
                return Some(if bound.is_finite() { lower + (bound - lower) * inside } else { lower });
            }
            (lower, below) = (bound, count);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_sorted_into_buckets() {
        let histogram = Histogram::default();
        for millis in [0, 5, 6, 1_000, 500_000] {
            histogram.observe(Duration::from_millis(millis), 1);
        }
        let read = histogram.read();
        let cumulative: Vec<_> = read.cumulative().collect();
        assert_eq!(cumulative[..2], [(0.005, 2), (0.01, 3)]);
        assert_eq!(cumulative[9], (1.0, 4));
        assert_eq!(cumulative[16], (120.0, 4));
        assert_eq!(cumulative[17], (f64::INFINITY, 5));
        assert_eq!((read.count(), read.sum), (5, 501.011));
    }

    #[test]
    fn one_of_a_sample_stands_for_its_like() {
        let histogram = Histogram::default();
        histogram.observe(Duration::from_millis(20), 10);
        let read = histogram.read();
        assert_eq!((read.count(), read.sum), (10, 0.2));
    }

    #[test]
    fn quantiles_lie_inside_of_their_bucket() {
        let histogram = Histogram::default();
        assert_eq!(histogram.read().quantile(0.5), None);
        (0..100).for_each(|_| histogram.observe(Duration::from_millis(20), 1));
        let median = histogram.read().quantile(0.5).unwrap();
        assert!((0.01..=0.025).contains(&median), "{median}");
        (0..100).for_each(|_| histogram.observe(Duration::from_secs(1_000), 1));
        assert_eq!(histogram.read().quantile(0.99), Some(120.0), "as long as the longest that is known");
    }
}
