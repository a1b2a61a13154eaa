//! What each tab shows, as rows of text.

use super::super::clean::clean;
use super::super::numbers::{Handler, Queue, known, rate, time};
use super::super::workers::{megabytes, since};
use super::Tab;
use super::seen::Seen;
use crate::copies::rfc3339;
use crate::dead_letters::Group;
use crate::fleet::{Failure, Peer, Report, State};

/// The rows of a tab.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Grid {
    /// A title that begins with `#` is one of numbers.
    pub(super) titles: &'static [&'static str],
    pub(super) rows: Vec<Row>,
    /// What stands where no row does.
    pub(super) empty: &'static str,
}

/// A row.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Row {
    pub(super) cells: Vec<String>,
    /// Everything about it, by name.
    pub(super) detail: Vec<(&'static str, String)>,
    pub(super) tone: Tone,
    /// The group of dead letters that it is.
    pub(super) group: Option<String>,
}

/// How urgent a row is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tone {
    #[default]
    Calm,
    Warning,
    Bad,
}

impl Row {
    /// A row of columns, which are part of everything about it too.
    fn new(titles: &'static [&'static str], cells: Vec<String>, tone: Tone) -> Self {
        // Whatever a message says stays on its line.
        let cells: Vec<String> = cells.into_iter().map(|cell| clean(&cell).into_owned()).collect();
        let names = titles.iter().map(|title| title.trim_start_matches('#'));
        let detail = names.zip(cells.iter().cloned()).collect();
        Self { cells, detail, tone, group: None }
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        if !value.is_empty() {
            self.detail.push((name, clean(value).into_owned()));
        }
        self
    }

    fn has(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        self.detail.iter().any(|(_, value)| value.to_lowercase().contains(&text))
    }
}

impl Grid {
    /// What a tab shows: only the rows with this text, when there is one.
    pub(super) fn of(tab: Tab, seen: &Seen, filter: &str) -> Self {
        let mut grid = match tab {
            Tab::Overview => overview(seen),
            Tab::Handlers => handlers(seen),
            Tab::Queues => queues(seen),
            Tab::Failures => failures(seen),
            Tab::DeadLetters => dead_letters(seen),
            Tab::Workers => workers(seen),
        };
        grid.rows.retain(|row| row.has(filter));
        grid
    }
}

const ATTENTION: &[&str] = &["What needs attention", "Why"];
const HANDLERS: &[&str] = &[
    "Handler",
    "Kind",
    "#/s",
    "#Failed/s",
    "#In flight",
    "#Handled",
    "#Failed",
    "#Dead",
    "#p95",
    "#Workers",
];
const QUEUES: &[&str] = &["Queue", "#Waiting", "#Consumers", "#Dead letters"];
const FAILURES: &[&str] = &["At", "Handler", "Key", "#Attempt", "Outcome", "Error"];
const GROUPS: &[&str] = &["Group", "#Letters", "Handler", "Reason", "Error"];
const WORKERS: &[&str] =
    &["Worker", "Version", "Host", "#Pid", "#Up for", "#Handlers", "#In flight", "#Memory", "State"];

/// What an operator should look at, the worst first.
fn overview(seen: &Seen) -> Grid {
    let row = |what: &str, why: String, tone| Row::new(ATTENTION, vec![what.to_owned(), why], tone);
    let mut rows = Vec::new();
    let numbers = &seen.numbers;
    for peer in &numbers.silent {
        rows.push(row(&peer.name, format!("the worker on {} does not answer", peer.host), Tone::Bad));
    }
    for worker in numbers.workers.iter().filter(|worker| worker.state != State::Running) {
        let why = format!("the worker is {}: {}", worker.state.as_str(), worker.problems.join("; "));
        rows.push(row(&worker.peer.name, why.trim_end_matches(": ").to_owned(), tone_of(worker.state)));
    }
    for handler in &numbers.handlers {
        if handler.resting > 0 {
            rows.push(row(
                &handler.name,
                format!("its breaker is open in {} workers", handler.resting),
                Tone::Bad,
            ));
        }
        if handler.failed_per_second > 0.0 {
            let why = format!("{} attempts a second fail", rate(handler.failed_per_second));
            rows.push(row(&handler.name, why, Tone::Warning));
        }
    }
    for queue in &numbers.queues {
        if let Some(dead @ 1..) = queue.dead_letters {
            rows.push(row(&queue.name, format!("{dead} dead letters wait for a decision"), Tone::Warning));
        }
        if let (Some(ready @ 1..), Some(0)) = (queue.ready, queue.consumers) {
            rows.push(row(&queue.name, format!("{ready} messages wait, and nobody consumes it"), Tone::Bad));
        }
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.tone));
    Grid { titles: ATTENTION, rows, empty: "All is well." }
}

fn handlers(seen: &Seen) -> Grid {
    let row = |one: &Handler| {
        let tone = match one {
            Handler { resting: 1.., .. } => Tone::Bad,
            one if one.failed_per_second > 0.0 => Tone::Warning,
            _ => Tone::Calm,
        };
        let cells = vec![
            one.name.clone(),
            one.kind.clone(),
            rate(one.per_second),
            rate(one.failed_per_second),
            one.in_flight.to_string(),
            one.handled.to_string(),
            one.failed.to_string(),
            one.dead_lettered.to_string(),
            time(one.p95_seconds),
            one.workers.to_string(),
        ];
        let row = Row::new(HANDLERS, cells, tone).with("Queue", &one.queue);
        row.with("Tried again", &one.retried.to_string()).with("Breakers open", &one.resting.to_string())
    };
    let rows = seen.numbers.handlers.iter().map(row).collect();
    Grid { titles: HANDLERS, rows, empty: "No worker with handlers answers." }
}

fn queues(seen: &Seen) -> Grid {
    let row = |one: &Queue| {
        let tone = match (one.ready, one.consumers, one.dead_letters) {
            (None, ..) | (Some(1..), Some(0), _) => Tone::Bad,
            (.., Some(1..)) => Tone::Warning,
            _ => Tone::Calm,
        };
        let cells = vec![one.name.clone(), known(one.ready), known(one.consumers), known(one.dead_letters)];
        Row::new(QUEUES, cells, tone)
    };
    let rows = seen.numbers.queues.iter().map(row).collect();
    Grid { titles: QUEUES, rows, empty: "Neither this program nor a worker has a queue." }
}

fn failures(seen: &Seen) -> Grid {
    let row = |(worker, one): &(String, Failure)| {
        let cells = vec![
            one.at.clone(),
            one.handler.clone(),
            one.key.clone(),
            one.attempt.to_string(),
            one.outcome.clone(),
            one.error.clone(),
        ];
        let row = Row::new(FAILURES, cells, Tone::Calm).with("Type", &one.error_type).with("Worker", worker);
        row.with("Queue", &one.queue).with("Message", one.message_id.as_deref().unwrap_or_default())
    };
    let empty = "Nothing has failed of late; a worker remembers failures while it has an admin port.";
    Grid { titles: FAILURES, rows: seen.failures.iter().map(row).collect(), empty }
}

fn dead_letters(seen: &Seen) -> Grid {
    let row = |one: &Group| {
        let error = one.error.clone().unwrap_or_default();
        let cells =
            vec![one.name.clone(), one.count.to_string(), one.handler.clone(), one.reason.clone(), error];
        let at = |time: Option<_>| time.map(rfc3339).unwrap_or_default();
        let mut row = Row::new(GROUPS, cells, Tone::Calm)
            .with("Type", one.error_type.as_deref().unwrap_or_default())
            .with("Example", &one.example)
            .with("First", &at(one.first))
            .with("Last", &at(one.last));
        row.group = Some(one.name.clone());
        row
    };
    let empty = match &seen.groups {
        None => "They are being looked at.",
        Some(_) => "There are no dead letters.",
    };
    Grid { titles: GROUPS, rows: seen.groups.iter().flatten().map(row).collect(), empty }
}

fn tone_of(state: State) -> Tone {
    match state {
        State::Running => Tone::Calm,
        State::Quiet | State::Draining | State::Degraded => Tone::Warning,
        State::NotReady | State::Dead => Tone::Bad,
    }
}

fn workers(seen: &Seen) -> Grid {
    let row = |one: &Report| {
        let cells = vec![
            one.peer.name.clone(),
            known(one.version.as_ref()),
            one.peer.host.clone(),
            one.pid.to_string(),
            since(one.uptime_seconds),
            one.handlers.to_string(),
            one.in_flight.to_string(),
            known(one.memory_bytes.map(megabytes)),
            one.state.as_str().to_owned(),
        ];
        let row = Row::new(WORKERS, cells, tone_of(one.state)).with("App", &one.app).with("Id", &one.peer.id);
        row.with("Problems", &one.problems.join("; "))
    };
    let silent = |Peer { id, name, host }: &Peer| {
        let mut cells = vec![name.clone(), "-".to_owned(), host.clone()];
        cells.extend(std::iter::repeat_n("-".to_owned(), 5));
        cells.push("silent".to_owned());
        Row::new(WORKERS, cells, Tone::Bad).with("Id", id)
    };
    let rows = seen.numbers.workers.iter().map(row).chain(seen.numbers.silent.iter().map(silent));
    Grid { titles: WORKERS, rows: rows.collect(), empty: "No worker answers." }
}
