//! A program of broker operations, as plain data.

use std::fmt;
use std::time::Duration;

use bus_runtime::topology::{
    Binding, Destination, Exchange, ExchangeKind, Overflow, Queue, QueueArguments, QueueType,
};
use bus_runtime::transport::Verdict;
use bus_runtime::{BindingKey, Envelope, ExchangeName, QueueName, RoutingKey};

/// The queues of every program: the front ones take what exchanges route, the back ones what dies there. Each front and its back
/// are a half, and messages die within their half.
pub(super) const QUEUES: [&str; 4] = ["front-0", "front-1", "back-0", "back-1"];
/// The exchanges of every program; the last two are where messages of a half die.
pub(super) const EXCHANGES: [&str; 5] = ["direct", "fanout", "topic", "dead-0", "dead-1"];
/// The routing keys that are published with; the keys of bindings are these and some with wildcards.
pub(super) const KEYS: [&str; 4] = ["a", "a.b", "b", ""];
/// The keys of bindings.
pub(super) const BINDING_KEYS: [&str; 7] = ["a", "a.b", "b", "", "#", "a.*", "*.#"];

/// What a message or a queue waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    /// Over at once.
    Zero,
    /// Over after the next [`Step::Wait`].
    Moment,
    /// Not over in this program.
    Ages,
}

impl Span {
    /// As time, when a moment is this long.
    pub(super) fn length(self, moment: Duration) -> Duration {
        match self {
            Self::Zero => Duration::ZERO,
            Self::Moment => moment,
            Self::Ages => Duration::from_secs(3600),
        }
    }
}

/// Where the messages of a queue die.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grave {
    /// In the front queue of the half.
    Front,
    /// In its back queue.
    Back,
    /// In the exchange of the half, with another key or its own.
    Exchange(Option<usize>),
    /// In the default exchange with its own key: published to this queue directly, it comes back.
    Own,
    /// In no queue.
    NoQueue,
    /// In an exchange that does not exist.
    NoExchange,
}

/// A queue to declare.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct QueueSpec {
    pub(super) kind: QueueType,
    pub(super) durable: bool,
    pub(super) exclusive: bool,
    pub(super) auto_delete: bool,
    pub(super) max_length: Option<u64>,
    pub(super) max_bytes: Option<u64>,
    pub(super) overflow: Option<Overflow>,
    pub(super) ttl: Option<Span>,
    pub(super) expires: Option<Span>,
    pub(super) max_priority: Option<u8>,
    pub(super) single_active: bool,
    pub(super) delivery_limit: Option<u32>,
    pub(super) grave: Option<Grave>,
}

/// A message to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MessageSpec {
    pub(super) key: usize,
    pub(super) padding: usize,
    pub(super) priority: Option<u8>,
    pub(super) expiration: Option<Span>,
    /// Whether it has properties and headers of its own.
    pub(super) dressed: bool,
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    DeclareQueue { queue: usize, spec: QueueSpec },
    CompareQueue { queue: usize, spec: QueueSpec },
    DeclareExchange { exchange: usize, kind: ExchangeKind, durable: bool },
    BindQueue { exchange: usize, half: usize, key: usize },
    BindExchange { from: usize, to: usize, key: usize },
    UnbindQueue { exchange: usize, half: usize, key: usize },
    UnbindExchange { from: usize, to: usize, key: usize },
    DeleteExchange { exchange: usize },
    DeleteUnusedExchange { exchange: usize },
    PublishTo { queue: usize, message: MessageSpec },
    Publish { exchange: usize, message: MessageSpec },
    PublishNowhere { message: MessageSpec },
    Get { queue: usize },
    Consume { queue: usize, prefetch: u16 },
    Take { consumer: usize },
    Settle { held: usize, verdict: Verdict },
    SettleAll { verdict: Verdict },
    Cancel { consumer: usize },
    Close { consumer: usize },
    Purge { queue: usize },
    Delete { queue: usize },
    DeleteIdle { queue: usize },
    Wait,
}

/// Queues, and what is done with them.
#[derive(Clone, PartialEq)]
pub struct Program {
    pub(super) queues: [QueueSpec; QUEUES.len()],
    pub(super) steps: Vec<Step>,
}

impl Program {
    /// Whether something of it ends after a moment, so that it must not take longer than that.
    pub(super) fn has_moments(&self) -> bool {
        let brief = |spec: &QueueSpec| [spec.ttl, spec.expires].contains(&Some(Span::Moment));
        self.queues.iter().any(brief)
            || self.steps.iter().any(|step| match step {
                Step::DeclareQueue { spec, .. } => brief(spec),
                Step::PublishTo { message, .. }
                | Step::Publish { message, .. }
                | Step::PublishNowhere { message } => message.expiration == Some(Span::Moment),
                _ => false,
            })
    }
}

/// The names of a program on one broker, and how long a moment is there.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) prefix: String,
    pub(super) moment: Duration,
}

impl Names {
    pub(super) fn queue(&self, queue: usize) -> QueueName {
        QueueName::new(format!("{}{}", self.prefix, QUEUES[queue])).expect("a short name")
    }

    pub(super) fn exchange(&self, exchange: usize) -> ExchangeName {
        self.exchange_called(EXCHANGES[exchange])
    }

    pub(super) fn exchange_called(&self, name: &str) -> ExchangeName {
        ExchangeName::new(format!("{}{name}", self.prefix)).expect("a short name")
    }

    /// The queue that an exchange leads to in a half: the back one for what died, else the front one.
    pub(super) fn bound_queue(exchange: usize, half: usize) -> usize {
        match exchange {
            3 => 2,
            4 => 3,
            _ => half,
        }
    }

    pub(super) fn declared_exchange(&self, exchange: usize, kind: ExchangeKind, durable: bool) -> Exchange {
        Exchange { kind, durable, ..Exchange::topic(self.exchange(exchange)) }
    }

    pub(super) fn declared_queue(&self, queue: usize, spec: &QueueSpec) -> Queue {
        let half = queue % 2;
        let default = ExchangeName::default_exchange();
        let own = |key: Option<usize>| key.map(|key| KEYS[key].to_owned());
        let (exchange, key) = match spec.grave {
            None => (None, None),
            Some(Grave::Front) => (Some(default), Some(self.queue(half).to_string())),
            Some(Grave::Back) => (Some(default), Some(self.queue(half + 2).to_string())),
            Some(Grave::Exchange(key)) => (Some(self.exchange(half + 3)), own(key)),
            Some(Grave::Own) => (Some(default), None),
            Some(Grave::NoQueue) => (Some(default), Some(format!("{}nobody", self.prefix))),
            Some(Grave::NoExchange) => (Some(self.exchange_called("nowhere")), None),
        };
        let length = |span: Option<Span>| span.map(|span| span.length(self.moment));
        Queue {
            name: self.queue(queue),
            durable: spec.durable,
            exclusive: spec.exclusive,
            auto_delete: spec.auto_delete,
            arguments: QueueArguments {
                queue_type: spec.kind,
                max_length: spec.max_length,
                max_length_bytes: spec.max_bytes,
                overflow: spec.overflow,
                message_ttl: length(spec.ttl),
                expires: length(spec.expires),
                max_priority: spec.max_priority,
                single_active_consumer: spec.single_active,
                delivery_limit: spec.delivery_limit,
                dead_letter_exchange: exchange,
                dead_letter_routing_key: key,
                dead_letter_strategy: None,
            },
        }
    }

    pub(super) fn binding(&self, exchange: usize, destination: Destination, key: usize) -> Binding {
        let key = BindingKey::parse(BINDING_KEYS[key]).expect("a short key");
        Binding { exchange: self.exchange(exchange), destination, key }
    }

    /// The message with this number; no two of a program are alike.
    pub(super) fn envelope(
        &self,
        exchange: ExchangeName,
        key: &str,
        message: &MessageSpec,
        number: usize,
    ) -> Envelope {
        let key = RoutingKey::new(key).expect("a short key");
        let mut envelope = Envelope::new(exchange, key, format!("{number}{}", ".".repeat(message.padding)));
        let properties = &mut envelope.properties;
        properties.priority = message.priority;
        properties.expiration = message.expiration.map(|span| span.length(self.moment));
        properties.persistent = message.dressed;
        if message.dressed {
            properties.content_type = Some("text/plain".into());
            properties.message_id = Some(number.to_string().into());
            properties.correlation_id = Some("conversation".into());
            properties.app_id = Some("equivalence".into());
            envelope.headers.set("number", i64::try_from(number).unwrap_or(i64::MAX));
            envelope.headers.set("note", "as it was published");
        }
        envelope
    }
}

impl fmt::Debug for QueueSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = Names { prefix: String::new(), moment: Duration::from_secs(1) };
        let queue = names.declared_queue(0, self);
        for (word, holds) in [
            ("durable ", queue.durable),
            ("exclusive ", queue.exclusive),
            ("auto-delete ", queue.auto_delete),
        ] {
            if holds {
                f.write_str(word)?;
            }
        }
        write!(f, "{:?} grave {:?}", queue.arguments.to_table(), self.grave)
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, spec) in QUEUES.iter().zip(&self.queues) {
            writeln!(f, "  queue {name}: {spec:?}")?;
        }
        for (number, step) in self.steps.iter().enumerate() {
            writeln!(f, "  {number:2} {step:?}")?;
        }
        Ok(())
    }
}
