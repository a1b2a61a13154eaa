//! The counters of a handler: they also go to the program's own recorder, and they are told of each call.

use std::array;

use tracing::Span;

use super::{Watch, facade, names, spans};
use crate::arrival::Arrival;
use crate::counters::{Counter, Counters, Ending, Histogram};
use crate::outcome::{DeadLetterReason, Outcome};
use crate::seam;
use crate::topology::HandlerEntry;

impl Counters {
    pub(crate) fn of(entry: &HandlerEntry) -> Self {
        let (handler, of_type) = (("handler", entry.name.as_str()), ("type", entry.type_label()));
        let counter = |name, labels: &[_]| Counter::mirrored(facade::counter(name, labels));
        let (processed, failed, duration) = match entry.is_for_one() {
            true => (names::COMMANDS_PROCESSED, names::COMMANDS_FAILED, names::COMMAND_DURATION),
            false => (names::EVENTS_PROCESSED, names::EVENTS_FAILED, names::EVENT_DURATION),
        };
        let failures = array::from_fn(|at| match Ending::ALL.get(at) {
            None | Some(Ending::Done) => Counter::default(),
            Some(ending) => counter(failed, &[handler, of_type, ("reason", ending.as_str())]),
        });
        let dead = array::from_fn(|at| {
            let reason = DeadLetterReason::ALL.get(at).map_or("", |reason| reason.as_str());
            counter(names::DEAD_LETTERED, &[handler, ("reason", reason)])
        });
        let histogram = |name| Histogram::mirrored(facade::histogram(name, &[handler]));
        Self {
            handled: counter(processed, &[handler, of_type]),
            failures,
            dead,
            retried_at_once: counter(names::RETRIES, &[handler, ("delay", names::AT_ONCE)]),
            retried_later: counter(names::RETRIES, &[handler, ("delay", names::LATER)]),
            durations: array::from_fn(|_| histogram(duration)),
            critical_time: histogram(names::CRITICAL_TIME),
            queue_time: histogram(names::QUEUE_TIME),
            ..Self::with_breaker(entry)
        }
    }

    /// A call begins. Later attempts have waited for a retry, not for the queue.
    pub(crate) fn begin(&self, arrival: &Arrival, watch: Option<Watch>) {
        let Some(watch) = watch.filter(|_| arrival.metadata.attempt() == 1) else { return };
        if let Some(published) = arrival.metadata.published_at() {
            // Clocks of two machines may disagree.
            let waited = seam::wall_clock_at(watch.since).duration_since(published).unwrap_or_default();
            self.queue_time.observe(waited, watch.weight);
        }
    }

    /// A call has ended.
    pub(crate) fn end(&self, outcome: &Outcome, arrival: &Arrival, watch: Option<Watch>, span: &Span) {
        let Some(watch) = watch else { return };
        let took = watch.elapsed();
        if let Some(durations) = self.durations.get(Ending::of(outcome) as usize) {
            durations.observe(took, watch.weight);
            if let Some(trace) = spans::sampled_trace(span) {
                durations.exemplify(took, trace, seam::wall_clock_at(watch.since + took));
            }
        }
        if let (true, Some(published)) = (outcome.is_success(), arrival.metadata.published_at()) {
            let now = seam::wall_clock_at(watch.since + took);
            self.critical_time.observe(now.duration_since(published).unwrap_or_default(), watch.weight);
        }
    }
}
