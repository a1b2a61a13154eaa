//! The numbers of the fleet and of its queues: what `stats` prints and `top` draws.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::fleet::Line;
use crate::error::Error;
use crate::fleet::{Ask, Heard, Peer, QueueCount, Reply, Report, Snapshot};
use crate::names::QueueName;
use crate::seam;
use crate::topology::Plan;

/// Queues that are looked at: what somebody tells of more is left out.
const QUEUES_MAX: usize = 1_000;

/// What is known of the fleet.
#[derive(Clone, Debug, Default)]
pub(super) struct Numbers {
    pub(super) workers: Vec<Report>,
    pub(super) silent: Vec<Peer>,
    /// By name.
    pub(super) handlers: Vec<Handler>,
    pub(super) queues: Vec<Queue>,
}

/// What a handler does in all workers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Handler {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) queue: String,
    pub(super) workers: u64,
    pub(super) per_second: f64,
    pub(super) failed_per_second: f64,
    pub(super) in_flight: u64,
    pub(super) handled: u64,
    pub(super) failed: u64,
    pub(super) retried: u64,
    pub(super) dead_lettered: u64,
    /// Of the worker that is slowest.
    pub(super) p95_seconds: Option<f64>,
    /// Workers in which its breaker is not closed.
    pub(super) resting: u64,
}

/// A queue as the broker tells.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Queue {
    pub(super) name: String,
    /// `None` when it does not exist.
    pub(super) ready: Option<u64>,
    pub(super) consumers: Option<u32>,
    pub(super) dead_letters: Option<u64>,
}

/// The counters of a moment: handled and failed, of each handler in each worker.
#[derive(Debug)]
pub(super) struct Before {
    at: Instant,
    counts: BTreeMap<(String, String), (u64, u64)>,
}

impl Numbers {
    /// All of them in one number.
    pub(super) fn sum<N: std::iter::Sum>(&self, count: impl Fn(&Handler) -> N) -> N {
        self.handlers.iter().map(count).sum()
    }

    pub(super) fn ready(&self) -> u64 {
        self.queues.iter().filter_map(|queue| queue.ready).sum()
    }

    pub(super) fn dead_letters(&self) -> u64 {
        self.queues.iter().filter_map(|queue| queue.dead_letters).sum()
    }

    /// The document of `stats -o json`.
    pub(super) fn document(&self) -> Value {
        json!({
            "schema": "bus.stats/1",
            "workers": self.workers.len(),
            "silent": self.silent.iter().map(|peer| &peer.name).collect::<Vec<_>>(),
            "per_second": self.sum(|handler| handler.per_second),
            "failed_per_second": self.sum(|handler| handler.failed_per_second),
            "in_flight": self.workers.iter().map(|worker| worker.in_flight).sum::<u64>(),
            "ready": self.ready(),
            "dead_letters": self.dead_letters(),
            "handlers": self.handlers,
            "queues": self.queues,
        })
    }
}

/// Asks the fleet and the broker. Rates are those since `before`, which is the present from then on; nothing before the second
/// time.
///
/// # Errors
/// What the broker says.
pub(super) async fn gather(line: &Line, plan: &Plan, before: &mut Option<Before>) -> Result<Numbers, Error> {
    let Heard { answers, silent } = line.ask(Ask::Stats).await?;
    let mut told = Vec::new();
    let mut workers = Vec::new();
    for answer in answers {
        if let Reply::Stats(snapshot) = answer.reply {
            told.push((answer.worker.peer.id.clone(), snapshot));
        }
        workers.push(answer.worker);
    }
    let now = Before { at: seam::now(), counts: counts(&told) };
    let handlers = handlers(&told, &now, before.as_ref());
    *before = Some(now);
    let queues = queues(line, names(plan, &told)).await?;
    Ok(Numbers { workers, silent, handlers, queues })
}

fn counts(told: &[(String, Snapshot)]) -> BTreeMap<(String, String), (u64, u64)> {
    let each = told.iter().flat_map(|(worker, snapshot)| {
        snapshot.handlers.iter().map(|one| ((worker.clone(), one.name.clone()), (one.handled, one.failed)))
    });
    each.collect()
}

fn handlers(told: &[(String, Snapshot)], now: &Before, before: Option<&Before>) -> Vec<Handler> {
    let mut all: BTreeMap<&str, Handler> = BTreeMap::new();
    for (worker, snapshot) in told {
        for one in &snapshot.handlers {
            let handler = all.entry(&one.name).or_default();
            handler.name.clone_from(&one.name);
            handler.kind.clone_from(&one.kind);
            handler.queue.clone_from(&one.queue);
            handler.workers += 1;
            handler.in_flight += one.in_flight;
            handler.handled += one.handled;
            handler.failed += one.failed;
            handler.retried += one.retried;
            handler.dead_lettered += one.dead_lettered;
            handler.resting += u64::from(one.breaker != "closed");
            handler.p95_seconds = match (handler.p95_seconds, one.p95_seconds) {
                (Some(a), Some(b)) => Some(a.max(b)),
                (a, b) => a.or(b),
            };
            // A worker that has come since is counted from the next time on.
            let key = (worker.clone(), one.name.clone());
            if let Some(earlier) = before
                && let Some((handled, failed)) = earlier.counts.get(&key)
            {
                let seconds = now.at.duration_since(earlier.at).as_secs_f64().max(0.001);
                let rate = |now: u64, before: u64| now.saturating_sub(before) as f64 / seconds;
                handler.per_second += rate(one.handled, *handled);
                handler.failed_per_second += rate(one.failed, *failed);
            }
        }
    }
    all.into_values().collect()
}

/// The queues of this program and of the workers, each with that of its dead letters; but for those that nobody else can look at.
fn names(plan: &Plan, told: &[(String, Snapshot)]) -> BTreeSet<(String, String)> {
    let own = plan.queues.iter().filter(|queue| !queue.declaration.exclusive);
    let own = own.map(|queue| (queue.name.to_string(), queue.dead.to_string()));
    let theirs = told.iter().flat_map(|(_, snapshot)| &snapshot.queues).filter(|queue| !queue.exclusive);
    let theirs = theirs.map(|QueueCount { name, dead, .. }| (name.clone(), dead.clone()));
    own.chain(theirs).take(QUEUES_MAX).collect()
}

async fn queues(line: &Line, names: BTreeSet<(String, String)>) -> Result<Vec<Queue>, Error> {
    let mut queues = Vec::new();
    for (name, dead) in names {
        // A name that no queue can have is one that a worker has made up.
        let (Ok(queue), Ok(dead)) = (QueueName::new(name.clone()), QueueName::new(dead)) else { continue };
        let state = line.transport.inspect(&queue).await?;
        let dead = line.transport.inspect(&dead).await?;
        queues.push(Queue {
            name,
            ready: state.map(|state| state.ready),
            consumers: state.map(|state| state.consumers),
            dead_letters: dead.map(|dead| dead.ready),
        });
    }
    Ok(queues)
}

/// `0`, `0.3`, `7.0`, `1204`: so many a second.
pub(super) fn rate(per_second: f64) -> String {
    match per_second {
        rate if rate <= 0.0 => "0".to_owned(),
        rate if rate < 100.0 => format!("{rate:.1}"),
        rate => format!("{rate:.0}"),
    }
}

/// A time that may not be known: `3.4ms`, `1.2s`.
pub(super) fn time(seconds: Option<f64>) -> String {
    match seconds {
        None => "-".to_owned(),
        Some(seconds) if seconds < 0.001 => format!("{:.0}us", seconds * 1e6),
        Some(seconds) if seconds < 1.0 => format!("{:.1}ms", seconds * 1e3),
        Some(seconds) => format!("{seconds:.1}s"),
    }
}

/// A number that the broker may not have told.
pub(super) fn known(count: Option<impl ToString>) -> String {
    count.map_or_else(|| "-".to_owned(), |count| count.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fleet::HandlerCount;

    fn told(worker: &str, handled: u64, failed: u64) -> (String, Snapshot) {
        let one = HandlerCount {
            name: "wiki::save".to_owned(),
            handled,
            failed,
            p95_seconds: Some(f64::from(u32::try_from(handled).unwrap())),
            breaker: "closed".to_owned(),
            ..HandlerCount::default()
        };
        (worker.to_owned(), Snapshot { handlers: vec![one], ..Snapshot::default() })
    }

    #[test]
    fn rates_are_of_those_who_were_there_before() {
        let at = seam::now();
        let before = [told("a", 10, 0), told("gone", 500, 0)];
        let before = Before { at, counts: counts(&before) };
        let after = [told("a", 30, 4), told("new", 1_000, 0)];
        let now = Before { at: at + Duration::from_secs(2), counts: counts(&after) };
        let found = handlers(&after, &now, Some(&before));
        let one = &found[0];
        assert_eq!((found.len(), one.workers, one.handled, one.p95_seconds), (1, 2, 1_030, Some(1_000.0)));
        assert_eq!((one.per_second, one.failed_per_second), (10.0, 2.0));
        assert_eq!(handlers(&after, &now, None)[0].per_second, 0.0);
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!((rate(0.0).as_str(), rate(0.26).as_str(), rate(1204.2).as_str()), ("0", "0.3", "1204"));
        let times = [(None, "-"), (Some(0.000_02), "20us"), (Some(0.0034), "3.4ms"), (Some(61.0), "61.0s")];
        for (seconds, text) in times {
            assert_eq!(time(seconds), text);
        }
    }
}
