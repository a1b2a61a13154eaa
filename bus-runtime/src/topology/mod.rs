//! Exchanges, queues and bindings as plain data, the same for every transport.

mod batch;
mod contradictions;
mod declaration;
mod definitions;
pub mod delay;
pub mod diff;
mod foreign;
pub(crate) mod glob;
mod handler;
pub mod naming;
mod order;
mod overrides;
pub(crate) mod patience;
pub mod plan;
mod renamed;

use std::fmt;
use std::time::Duration;

use crate::binding_key::BindingKey;
use crate::envelope::{HeaderValue, Headers};
use crate::names::{ExchangeName, QueueName};

pub use batch::BatchEntry;
pub use definitions::{
    Arguments, BindingDefinition, Definitions, DestinationType, ExchangeDefinition, QueueDefinition,
};
pub use foreign::{Foreign, ForeignExchange, IfMissing};
pub use handler::{CapturingKey, HandlerEntry, HandlerKind};
pub use order::OrderedBy;
pub use overrides::HandlerOverride;
#[cfg(feature = "cli")]
pub(crate) use overrides::override_name;
pub use plan::{Plan, PlanSettings, QueueEntry, plan};
pub use renamed::Renamed;

/// Exchanges, queues and bindings that belong together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Topology {
    /// Declared first.
    pub exchanges: Vec<Exchange>,
    /// Declared second.
    pub queues: Vec<Queue>,
    /// Bound last.
    pub bindings: Vec<Binding>,
}

impl Topology {
    /// Adds everything of `other` that is not there yet.
    pub fn merge(&mut self, other: Topology) {
        fn add<T: PartialEq>(to: &mut Vec<T>, from: Vec<T>) {
            for item in from {
                if !to.contains(&item) {
                    to.push(item);
                }
            }
        }
        add(&mut self.exchanges, other.exchanges);
        add(&mut self.queues, other.queues);
        add(&mut self.bindings, other.bindings);
    }

    /// What stays on the broker when every program has ended: all but exclusive queues and their bindings.
    pub(crate) fn lasting(&self) -> Topology {
        let exclusive =
            |name: &QueueName| self.queues.iter().any(|queue| queue.name == *name && queue.exclusive);
        let mut lasting = self.clone();
        lasting.queues.retain(|queue| !queue.exclusive);
        lasting.bindings.retain(|binding| match &binding.destination {
            Destination::Queue(queue) => !exclusive(queue),
            Destination::Exchange(_) => true,
        });
        lasting
    }
}

/// An exchange to declare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// Its name.
    pub name: ExchangeName,
    /// How it routes.
    pub kind: ExchangeKind,
    /// Survives a restart of the broker.
    pub durable: bool,
    /// Deleted when its last binding goes.
    pub auto_delete: bool,
}

impl Exchange {
    /// A durable topic exchange.
    #[must_use]
    pub fn topic(name: ExchangeName) -> Self {
        Self { name, kind: ExchangeKind::Topic, durable: true, auto_delete: false }
    }
}

/// How an exchange routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExchangeKind {
    /// By the words of the routing key, see [`BindingKey`].
    Topic,
    /// By the whole routing key.
    Direct,
    /// To everything that is bound.
    Fanout,
}

impl ExchangeKind {
    /// The word that AMQP uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Topic => "topic",
            Self::Direct => "direct",
            Self::Fanout => "fanout",
        }
    }
}

impl fmt::Display for ExchangeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A queue to declare.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: QueueName,
    /// Survives a restart of the broker.
    pub durable: bool,
    /// Belongs to the connection that declared it and goes with it.
    pub exclusive: bool,
    /// Deleted when its last consumer goes.
    pub auto_delete: bool,
    /// What AMQP calls `x-arguments`.
    pub arguments: QueueArguments,
}

impl Queue {
    /// A durable queue of the given type, without further arguments.
    #[must_use]
    pub fn durable(name: QueueName, queue_type: QueueType) -> Self {
        Self {
            name,
            durable: true,
            exclusive: false,
            auto_delete: false,
            arguments: QueueArguments { queue_type, ..QueueArguments::default() },
        }
    }
}

/// The arguments of a queue, as <https://www.rabbitmq.com/docs/queues#optional-arguments> names them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QueueArguments {
    /// `x-queue-type`.
    pub queue_type: QueueType,
    /// `x-max-length`, in ready messages.
    pub max_length: Option<u64>,
    /// `x-max-length-bytes`, in bytes of ready bodies.
    pub max_length_bytes: Option<u64>,
    /// `x-overflow`.
    pub overflow: Option<Overflow>,
    /// `x-message-ttl`, in milliseconds on the wire.
    pub message_ttl: Option<Duration>,
    /// `x-expires`, in milliseconds on the wire: the queue is deleted when unused for so long.
    pub expires: Option<Duration>,
    /// `x-max-priority`; classic queues only.
    pub max_priority: Option<u8>,
    /// `x-single-active-consumer`.
    pub single_active_consumer: bool,
    /// `x-delivery-limit`; quorum queues only.
    pub delivery_limit: Option<u32>,
    /// `x-dead-letter-exchange`; the default exchange has the empty name.
    pub dead_letter_exchange: Option<ExchangeName>,
    /// `x-dead-letter-routing-key`; without it the message keeps its own.
    pub dead_letter_routing_key: Option<String>,
    /// `x-dead-letter-strategy`; quorum queues only.
    pub dead_letter_strategy: Option<DeadLetterStrategy>,
}

impl QueueArguments {
    /// The arguments as a table, under the names that AMQP uses.
    #[must_use]
    pub fn to_table(&self) -> Headers {
        let Self {
            queue_type,
            max_length,
            max_length_bytes,
            overflow,
            message_ttl,
            expires,
            max_priority,
            single_active_consumer,
            delivery_limit,
            dead_letter_exchange,
            dead_letter_routing_key,
            dead_letter_strategy,
        } = self;
        let int = |number: &u64| HeaderValue::Int(i64::try_from(*number).unwrap_or(i64::MAX));
        let millis = |time: &Duration| HeaderValue::Int(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        let pairs: [(&'static str, Option<HeaderValue>); 12] = [
            ("x-queue-type", Some(queue_type.as_str().into())),
            ("x-max-length", max_length.as_ref().map(int)),
            ("x-max-length-bytes", max_length_bytes.as_ref().map(int)),
            ("x-overflow", overflow.map(|overflow| overflow.as_str().into())),
            ("x-message-ttl", message_ttl.as_ref().map(millis)),
            ("x-expires", expires.as_ref().map(millis)),
            ("x-max-priority", max_priority.map(Into::into)),
            ("x-single-active-consumer", single_active_consumer.then(|| true.into())),
            ("x-delivery-limit", delivery_limit.map(Into::into)),
            ("x-dead-letter-exchange", dead_letter_exchange.as_ref().map(|name| name.to_string().into())),
            ("x-dead-letter-routing-key", dead_letter_routing_key.clone().map(Into::into)),
            ("x-dead-letter-strategy", dead_letter_strategy.map(|strategy| strategy.as_str().into())),
        ];
        pairs.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }
}

/// `x-queue-type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum QueueType {
    /// Replicated, always durable, counts deliveries; the default of Bus.
    #[default]
    Quorum,
    /// One node, knows priorities and exclusive queues.
    Classic,
}

impl QueueType {
    /// The word that AMQP uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Quorum => "quorum",
            Self::Classic => "classic",
        }
    }
}

/// `x-overflow`: what a full queue does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// The oldest message is dead-lettered.
    DropHead,
    /// The new message is refused.
    RejectPublish,
}

impl Overflow {
    /// The word that AMQP uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DropHead => "drop-head",
            Self::RejectPublish => "reject-publish",
        }
    }
}

/// `x-dead-letter-strategy`: whether a quorum queue waits for the confirm of a dead-lettered message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeadLetterStrategy {
    /// The message leaves before its copy has arrived.
    AtMostOnce,
    /// The message leaves when its copy has arrived; needs [`Overflow::RejectPublish`].
    AtLeastOnce,
}

impl DeadLetterStrategy {
    /// The word that AMQP uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AtMostOnce => "at-most-once",
            Self::AtLeastOnce => "at-least-once",
        }
    }
}

/// A rule from an exchange to a queue or to another exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Where messages come from.
    pub exchange: ExchangeName,
    /// Where they go to.
    pub destination: Destination,
    /// Which messages.
    pub key: BindingKey,
}

/// Where a binding leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// To a queue.
    Queue(QueueName),
    /// To another exchange.
    Exchange(ExchangeName),
}
