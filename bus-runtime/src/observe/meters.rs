//! What an app counts beside its handlers: publishes, queues, exchanges. Everything has its place before the first message, so
//! that nothing is looked up by its labels and nothing is allocated while messages pass.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::facade;
use super::names;
use crate::counters::{Counter, Gauge, Histogram, Sending};
use crate::error::Error;
use crate::message::{MessageKind, MessageType};
use crate::names::QueueName;
use crate::seam;
use crate::topology::{Plan, PlanSettings};

/// What a message is published as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SentAs {
    /// Under a key of the exchange for imperative messages.
    Audit,
    /// Under a key of the exchange for advisory messages.
    React,
    /// As a message type, by its topic.
    Typed(&'static str),
    /// On an exchange that somebody has named.
    Raw,
}

/// What an app counts beside its handlers.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    one_of: u32,
    audit: SentMeter,
    react: SentMeter,
    raw: SentMeter,
    /// Sorted by topic.
    typed: Vec<(&'static str, SentMeter)>,
    exchanges: Vec<ExchangeMeter>,
    elsewhere: ExchangeMeter,
    queues: Vec<Arc<QueueMeters>>,
    /// Messages that went back to their queues because the app has ended.
    pub(crate) interrupted: Counter,
}

/// What was published of one kind of message.
#[derive(Debug, Default)]
pub(crate) struct SentMeter {
    /// As it stands in labels; nothing when it can be any.
    pub(crate) exchange: String,
    /// The topic, or what stands for it.
    pub(crate) topic: &'static str,
    /// Of a message type.
    kind: Option<MessageKind>,
    /// Messages that the broker has confirmed; of a command, those that were executed.
    pub(crate) confirmed: Counter,
    /// Attempts to publish, by [`Sending`].
    pub(crate) sent: [Counter; Sending::ALL.len()],
    /// How long they took.
    pub(crate) durations: [Histogram; Sending::ALL.len()],
}

/// What became of messages for one exchange.
#[derive(Debug, Default)]
pub(crate) struct ExchangeMeter {
    pub(crate) exchange: String,
    pub(crate) unroutable: Counter,
    pub(crate) nacked: Counter,
}

/// What is known of one queue.
#[derive(Debug)]
pub(crate) struct QueueMeters {
    pub(crate) queue: QueueName,
    pub(crate) dead: QueueName,
    pub(crate) redelivered: Counter,
    /// Messages that wait for a consumer, when somebody looked last.
    pub(crate) ready: Gauge,
    /// Its dead letters, when somebody looked last.
    pub(crate) dead_letters: Gauge,
    /// Whether it is nearly full.
    pub(crate) is_high: Gauge,
}

/// A time that is being taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Watch {
    pub(crate) since: Instant,
    pub(crate) weight: u32,
}

impl Watch {
    pub(crate) fn elapsed(self) -> Duration {
        seam::now().saturating_duration_since(self.since)
    }
}

impl SentMeter {
    fn new(exchange: impl Into<String>, topic: &'static str, kind: Option<MessageKind>) -> Self {
        let exchange = exchange.into();
        let confirmed = if kind.is_some_and(MessageKind::wants_one_handler) {
            facade::counter(names::COMMANDS_SENT, &[("type", topic)])
        } else {
            facade::counter(names::EVENTS_PUBLISHED, &[("exchange", &exchange), ("type", topic)])
        };
        let confirmed = Counter::mirrored(confirmed);
        Self { exchange, topic, kind, confirmed, ..Self::default() }
    }

    /// Whether its messages have exactly one handler.
    pub(crate) fn is_for_one(&self) -> bool {
        self.kind.is_some_and(MessageKind::wants_one_handler)
    }

    /// Its topic, when it is one that the code says.
    pub(crate) fn static_topic(&self) -> Option<&'static str> {
        self.kind.map(|_| self.topic)
    }

    /// The broker has confirmed one. A command is counted when it is executed, whichever way it takes.
    pub(crate) fn confirmed(&self) {
        if self.kind != Some(MessageKind::Command) {
            self.confirmed.add_one();
        }
    }

    /// A publish has ended.
    pub(crate) fn ended(&self, sent: &Result<(), Error>, watch: Option<Watch>) {
        let at = Sending::of(sent) as usize;
        self.sent.get(at).into_iter().for_each(Counter::add_one);
        if let (Some(watch), Some(durations)) = (watch, self.durations.get(at)) {
            durations.observe(watch.elapsed(), watch.weight);
        }
    }
}

impl ExchangeMeter {
    fn new(exchange: &str) -> Self {
        Self {
            exchange: exchange.to_owned(),
            unroutable: Counter::mirrored(facade::counter(names::UNROUTABLE, &[("exchange", exchange)])),
            nacked: Counter::mirrored(facade::counter(names::NACKED, &[("exchange", exchange)])),
        }
    }
}

impl Meters {
    /// For a program that publishes these message types and handles this plan.
    pub(crate) fn new(plan: &Plan, settings: &PlanSettings, types: &[MessageType], one_of: u32) -> Self {
        let name = |exchange: &str| {
            settings.exchange(exchange).map_or_else(|_| exchange.to_owned(), |name| name.to_string())
        };
        let of_type = |message: &MessageType| {
            let exchange = name(message.exchange.unwrap_or(&settings.messages));
            (message.topic, SentMeter::new(exchange, message.topic, Some(message.kind)))
        };
        let mut types = types.to_vec();
        types.sort_by_key(|message| message.topic);
        types.dedup_by_key(|message| message.topic);
        let typed: Vec<_> = types.iter().map(of_type).collect();
        let (audit, react) = (name(&settings.audit), name(&settings.react));
        let mut exchanges: Vec<&str> = typed.iter().map(|(_, sent)| sent.exchange.as_str()).collect();
        exchanges.extend([audit.as_str(), react.as_str()]);
        exchanges.sort_unstable();
        exchanges.dedup();
        let exchanges = exchanges.into_iter().map(ExchangeMeter::new).collect();
        Self {
            one_of,
            exchanges,
            typed,
            audit: SentMeter::new(audit, "audit", None),
            react: SentMeter::new(react, "react", None),
            raw: SentMeter::new(OTHER, OTHER, None),
            elsewhere: ExchangeMeter::new(OTHER),
            queues: plan
                .queues
                .iter()
                .map(|queue| Arc::new(QueueMeters::new(&queue.name, &queue.dead)))
                .collect(),
            interrupted: Counter::default(),
        }
    }

    /// Begins to take a time; `None` when this one is not of the sample.
    pub(crate) fn watch(&self) -> Option<Watch> {
        let taken = match self.one_of {
            0 => false,
            1 => true,
            many => seam::random_below(many) == 0,
        };
        taken.then(|| Watch { since: seam::now(), weight: self.one_of })
    }

    pub(crate) fn sent(&self, subject: SentAs) -> &SentMeter {
        match subject {
            SentAs::Audit => &self.audit,
            SentAs::React => &self.react,
            SentAs::Raw => &self.raw,
            SentAs::Typed(topic) => {
                let found = self.typed.binary_search_by(|(known, _)| (*known).cmp(topic)).ok();
                found.and_then(|at| self.typed.get(at)).map_or(&self.raw, |(_, sent)| sent)
            }
        }
    }

    /// What became of messages for an exchange; those that only the user's code knows are one.
    pub(crate) fn exchange(&self, exchange: &str) -> &ExchangeMeter {
        self.exchanges.iter().find(|one| one.exchange == exchange).unwrap_or(&self.elsewhere)
    }

    /// A queue of the plan.
    pub(crate) fn queue(&self, name: &QueueName) -> Option<&Arc<QueueMeters>> {
        self.queues.iter().find(|queue| queue.queue == *name)
    }

    pub(super) fn queues(&self) -> &[Arc<QueueMeters>] {
        &self.queues
    }

    pub(super) fn all_sent(&self) -> impl Iterator<Item = &SentMeter> {
        let typed = self.typed.iter().map(|(_, sent)| sent);
        [&self.audit, &self.react].into_iter().chain(typed).chain([&self.raw])
    }

    pub(super) fn all_exchanges(&self) -> impl Iterator<Item = &ExchangeMeter> {
        self.exchanges.iter().chain([&self.elsewhere])
    }
}

/// What stands in labels for names that only the user's code knows: there may be any number of them.
const OTHER: &str = "other";

impl QueueMeters {
    fn new(queue: &QueueName, dead: &QueueName) -> Self {
        Self {
            redelivered: Counter::mirrored(facade::counter(names::REDELIVERED, &[("queue", queue.as_str())])),
            queue: queue.clone(),
            dead: dead.clone(),
            ready: Gauge::default(),
            dead_letters: Gauge::default(),
            is_high: Gauge::default(),
        }
    }
}
