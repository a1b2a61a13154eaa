//! What a worker answers, and what it does when it is asked to.

use std::collections::BTreeMap;

use super::control::Reach;
use super::words::{
    Answer, Ask, Failure, Hand, HandlerCount, Peer, QueueCount, Reply, Report, Snapshot, State, VERSION,
};
use crate::app::{Running, Status};
use crate::counters::{Counters, Distribution, Histogram};
use crate::names::QueueName;
use crate::seam;
use crate::transport::Standing;

/// Messages in hand that one answer tells of.
const HANDS_MAX: usize = 200;
/// Failures that one answer tells of.
#[cfg(feature = "dashboard")]
const FAILURES_MAX: usize = 100;
/// Letters of an error that are told.
#[cfg(feature = "dashboard")]
const ERROR_MAX: usize = 500;

/// Does what is asked for, and answers.
pub(crate) fn act(running: &Running, ask: Ask) -> Answer {
    let reply = match ask {
        Ask::Quiet if running.is_draining() => Reply::Refused("it is draining already".to_owned()),
        Ask::Quiet => {
            running.hub.valves.quiet(running.plan.queues.iter().map(|queue| &queue.name));
            tracing::info!("somebody has asked for quiet: nothing new is taken until `workers resume`");
            Reply::Done
        }
        Ask::Resume => {
            running.hub.valves.resume();
            tracing::info!("somebody has ended the quiet");
            Reply::Done
        }
        Ask::Drain if running.control.ask_to_drain() => {
            tracing::info!("somebody has asked the program to drain and end");
            Reply::Done
        }
        Ask::Drain => Reply::Refused(
            "the program has started the bus itself and does not listen: see Bus::drain_requested".to_owned(),
        ),
        Ask::Ping => Reply::Done,
        Ask::Inflight => Reply::Inflight(hands(running)),
        Ask::Stats => Reply::Stats(snapshot(running)),
        Ask::Failures => Reply::Failures(failures(running)),
    };
    answer(running, reply)
}

/// How the worker is, and this.
pub(crate) fn answer(running: &Running, reply: Reply) -> Answer {
    let peers = match running.control.reach() {
        Reach::Open(station) => station.peers(),
        _ => Vec::new(),
    };
    Answer { v: VERSION, worker: report(running), peers, reply }
}

/// The worker as others know it.
pub(super) fn peer(running: &Running) -> Peer {
    let name = running.hub.worker.clone();
    let id = match running.control.reach() {
        Reach::Open(station) => station.id().to_owned(),
        // It is the only one.
        _ => name.clone(),
    };
    Peer { id, name, host: running.control.host().to_owned() }
}

fn report(running: &Running) -> Report {
    let stats = running.stats();
    let health = running.health();
    let sum = |count: fn(&crate::HandlerStats) -> u64| stats.handlers.iter().map(count).sum();
    let is_quiet = running.hub.valves.is_quiet();
    let state = match health.status {
        _ if running.control.is_asked_to_drain() => State::Draining,
        Status::Draining => State::Draining,
        Status::Dead => State::Dead,
        Status::NotReady => State::NotReady,
        Status::Ready | Status::Degraded | Status::Starting if is_quiet => State::Quiet,
        Status::Ready | Status::Starting => State::Running,
        Status::Degraded => State::Degraded,
    };
    Report {
        peer: peer(running),
        app: running.hub.app_id.to_string(),
        version: running.version.clone(),
        pid: seam::process_id(),
        uptime_seconds: running.control.uptime_seconds(),
        handlers: running.plan.handlers.len() as u64,
        in_flight: running.hub.in_flight.count() as u64,
        handled: sum(|one| one.handled),
        failed: sum(|one| one.failed),
        memory_bytes: resident_bytes(),
        state,
        problems: health.problems,
    }
}

/// Memory of the process that is in RAM, where the system tells.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

fn hands(running: &Running) -> Vec<Hand> {
    let all = running.hub.in_flight.all().into_iter().take(HANDS_MAX);
    all.map(|(handler, since)| Hand { handler: handler.name.clone(), since_seconds: since.as_secs_f64() })
        .collect()
}

fn snapshot(running: &Running) -> Snapshot {
    let stats = running.stats();
    let handlers = stats.handlers.into_iter().zip(&running.counters);
    let handlers = handlers.map(|(stats, counters)| HandlerCount {
        name: stats.name,
        kind: stats.kind.to_owned(),
        queue: stats.queue,
        handled: stats.handled,
        failed: stats.failed,
        retried: stats.retried,
        dead_lettered: stats.dead_lettered,
        in_flight: counters.in_flight.get(),
        p95_seconds: p95(counters),
        breaker: stats.breaker.as_str().to_owned(),
    });
    let standings: BTreeMap<QueueName, Standing> = running.consumers().into_iter().collect();
    let queues = running.plan.queues.iter().map(|queue| QueueCount {
        name: queue.name.to_string(),
        dead: queue.dead.to_string(),
        receiving: standings.get(&queue.name) == Some(&Standing::Receiving),
        exclusive: queue.declaration.exclusive,
    });
    Snapshot {
        published: stats.published,
        unroutable: stats.unroutable,
        handlers: handlers.collect(),
        queues: queues.collect(),
    }
}

fn p95(counters: &Counters) -> Option<f64> {
    let all = counters.durations.iter().map(Histogram::read).reduce(Distribution::with)?;
    all.quantile(0.95)
}

#[cfg(feature = "dashboard")]
fn failures(running: &Running) -> Vec<Failure> {
    let last = running.hub.history.failures().into_iter().take(FAILURES_MAX);
    let failure = |passed: std::sync::Arc<crate::history::Passed>| {
        let (error, error_type) = passed.error.clone().unwrap_or_default();
        Failure {
            at: crate::copies::rfc3339(passed.at),
            handler: passed.handler.name.clone(),
            queue: passed.handler.queue.to_string(),
            key: passed.metadata.routing_key().to_string(),
            message_id: passed.metadata.message_id().map(str::to_owned),
            attempt: passed.metadata.attempt(),
            outcome: passed.word.as_str().to_owned(),
            error: error.chars().take(ERROR_MAX).collect(),
            error_type,
        }
    };
    last.map(failure).collect()
}

/// Without a dashboard nothing is kept.
#[cfg(not(feature = "dashboard"))]
fn failures(_: &Running) -> Vec<Failure> {
    Vec::new()
}
