//! What carries messages: the contract that every transport keeps, and nothing about any of them.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::envelope::Envelope;
use crate::error::Error;
use crate::names::{ExchangeName, QueueName};
use crate::topology::diff::Difference;
use crate::topology::{Binding, BindingDefinition, Exchange, Queue, QueueType, Topology};

pub mod embedded;
mod level;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;
pub(crate) mod wire;

pub use level::{LevelListener, QueueLevel, WaterMark};
pub(crate) use level::{Water, is_high, is_low};

#[cfg(feature = "rabbitmq")]
pub use rabbitmq::{RabbitMq, RabbitMqOptions};
#[cfg(feature = "fuzzing")]
pub(crate) use rabbitmq::{frames as fuzz_frames, table as fuzz_table};

/// How long a publish waits for its confirm unless told otherwise, a lost connection or a full broker included: as long as people
/// wait before they look.
pub const PUBLISH_TIMEOUT: Duration = Duration::from_secs(30);

/// A future in a box, as the object-safe contract needs it.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What carries messages. [`EmbeddedBroker`](crate::EmbeddedBroker) is one, RabbitMQ another.
///
/// All methods are idempotent where AMQP's are, and none waits for ever: each ends within the transport's own time limits.
/// A transport that loses its connection comes back by itself: it declares anew what it was given and resumes its consumers.
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// What it is and where, for people to read; never a password.
    fn describe(&self) -> TransportDescription;

    /// Declares exchanges, then queues, then bindings. What exists already with the same arguments is left alone.
    ///
    /// # Errors
    /// [`Mismatch`](crate::ErrorKind::Mismatch) when one exists with other arguments; else what the broker says.
    fn declare<'a>(&'a self, topology: &'a Topology) -> BoxFuture<'a, Result<(), Error>>;

    /// Looks at a queue without touching it; `None` when it does not exist.
    ///
    /// # Errors
    /// What the broker says.
    fn inspect<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<Option<QueueState>, Error>>;

    /// Whether an exchange exists; needs no permission to configure it.
    ///
    /// # Errors
    /// What the broker says.
    fn has_exchange<'a>(&'a self, exchange: &'a ExchangeName) -> BoxFuture<'a, Result<bool, Error>>;

    /// How an exchange differs from this declaration; `None` when it does not exist. Changes nothing.
    ///
    /// # Errors
    /// What the broker says.
    fn compare_exchange<'a>(
        &'a self,
        wanted: &'a Exchange,
    ) -> BoxFuture<'a, Result<Option<Vec<Difference>>, Error>>;

    /// How a queue differs from this declaration; `None` when it does not exist. Changes nothing.
    ///
    /// # Errors
    /// What the broker says.
    fn compare_queue<'a>(
        &'a self,
        wanted: &'a Queue,
    ) -> BoxFuture<'a, Result<Option<Vec<Difference>>, Error>>;

    /// Every binding of the broker, but for those of the default exchange.
    ///
    /// # Errors
    /// Why they cannot be seen: AMQP 0-9-1 has no question for them, so RabbitMQ answers through its management API only.
    fn survey(&self) -> BoxFuture<'_, Result<Survey, Error>>;

    /// Publishes one message and waits for the broker's confirm.
    ///
    /// The message is written in the order of the calls; only the confirm is awaited in the returned future, so that many
    /// can be under way at once. Dropping the future before it was polled publishes nothing; afterwards the outcome is unknown.
    ///
    /// # Errors
    /// [`Nacked`](crate::ErrorKind::Nacked), [`NotFound`](crate::ErrorKind::NotFound) (no such exchange),
    /// [`TooLarge`](crate::ErrorKind::TooLarge), [`TimedOut`](crate::ErrorKind::TimedOut),
    /// [`Disconnected`](crate::ErrorKind::Disconnected).
    fn publish(&self, envelope: Arc<Envelope>) -> BoxFuture<'static, Result<Confirmation, Error>>;

    /// Starts to consume a queue.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) when the queue does not exist; else what the broker says.
    fn consume<'a>(
        &'a self,
        queue: &'a QueueName,
        options: ConsumeOptions,
    ) -> BoxFuture<'a, Result<Box<dyn Consumer>, Error>>;

    /// Takes one message off a queue (`basic.get`), unsettled. When it is dropped without being settled, it goes back.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) when the queue does not exist; else what the broker says.
    fn get<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<Option<Incoming>, Error>>;

    /// Goes through what a queue holds now, from its head. What a [`Browser`] has shown, no other shows until it is closed.
    ///
    /// # Errors
    /// [`NotFound`](crate::ErrorKind::NotFound) when the queue does not exist; else what the broker says.
    fn browse<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<Box<dyn Browser>, Error>>;

    /// Deletes the ready messages of a queue and says how many they were.
    ///
    /// # Errors
    /// What the broker says.
    fn purge<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<u64, Error>>;

    /// Deletes a queue with its messages and bindings; `Ok` when there was none.
    ///
    /// # Errors
    /// What the broker says.
    fn delete_queue<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<(), Error>>;

    /// Deletes a queue with its bindings, unless it holds messages or has consumers; done when there was none.
    ///
    /// RabbitMQ cannot do this in one step for quorum queues: what arrives between the look and the deletion goes with the
    /// queue. Whoever must not lose it removes the bindings first.
    ///
    /// # Errors
    /// What the broker says.
    fn delete_idle_queue<'a>(
        &'a self,
        queue: &'a QueueName,
        queue_type: QueueType,
    ) -> BoxFuture<'a, Result<Deletion, Error>>;

    /// Deletes an exchange that nothing is bound to; done when there was none.
    ///
    /// # Errors
    /// What the broker says.
    fn delete_unused_exchange<'a>(
        &'a self,
        exchange: &'a ExchangeName,
    ) -> BoxFuture<'a, Result<Deletion, Error>>;

    /// Deletes an exchange with its bindings; `Ok` when there was none.
    ///
    /// # Errors
    /// What the broker says.
    fn delete_exchange<'a>(&'a self, exchange: &'a ExchangeName) -> BoxFuture<'a, Result<(), Error>>;

    /// Removes a binding; `Ok` when there was none.
    ///
    /// # Errors
    /// What the broker says.
    fn unbind<'a>(&'a self, binding: &'a Binding) -> BoxFuture<'a, Result<(), Error>>;

    /// Lets the listener know of every mark that a queue with `x-max-length` passes, each once per crossing and in order. Says
    /// whether the transport can: RabbitMQ tells nobody how full its queues are.
    fn watch_levels(&self, listener: LevelListener) -> bool {
        let _ = listener;
        false
    }

    /// Whether the broker can be talked to right now.
    fn status(&self) -> ConnectionStatus;

    /// How often a connection was lost and made again.
    fn reconnects(&self) -> u64 {
        0
    }

    /// What the broker and the transport have agreed upon; `None` where nothing is limited.
    fn limits(&self) -> Option<Limits> {
        None
    }

    /// Flushes what is under way and closes the connections, within the time limit.
    fn close(&self, within: Duration) -> BoxFuture<'_, ()>;
}

/// What a transport is and where, for people to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransportDescription {
    /// `embedded` or `rabbitmq`.
    pub system: &'static str,
    /// The address without its password, such as `amqp://app:***@rabbit:5672/prod`.
    pub address: String,
    /// Product and version of the broker, such as `RabbitMQ 3.10.8`.
    pub server: String,
}

/// What the broker and the transport have agreed upon for each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Channels that may be open at once; each consumer has one.
    pub channels: u16,
    /// The size of the largest frame; the headers of a message go into one.
    pub frame_bytes: u32,
    /// The interval of heartbeats; a peer that is silent for two of them is lost.
    pub heartbeat_secs: u16,
}

/// Whether the broker can be talked to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConnectionStatus {
    /// Yes.
    Connected,
    /// The broker takes no publishes for now, and why (memory or disk alarm); consumers go on.
    Blocked(String),
    /// No; the transport is trying to come back.
    Disconnected,
}

/// What the broker said about a published message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Confirmation {
    /// At least one queue has it.
    Routed,
    /// The broker is fine, but no queue wanted the message: it is gone.
    Unroutable,
}

/// What [`Transport::inspect`] sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QueueState {
    /// Messages that wait for a consumer.
    pub ready: u64,
    /// Consumers of the queue, of all connections.
    pub consumers: u32,
}

/// What became of a deletion that must not harm anybody.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Deletion {
    /// It is gone, or never was there.
    Done,
    /// It is still there, and why: `3 messages, 1 consumer`.
    Held(String),
}

impl QueueState {
    /// What keeps the queue from being deleted without harm.
    pub(crate) fn hold(self) -> Option<String> {
        let Self { ready, consumers } = self;
        let one_or_many = |count: u64, noun: &str| match count {
            1 => format!("1 {noun}"),
            many => format!("{many} {noun}s"),
        };
        match (ready, u64::from(consumers)) {
            (0, 0) => None,
            (messages, 0) => Some(one_or_many(messages, "message")),
            (0, consumers) => Some(one_or_many(consumers, "consumer")),
            (messages, consumers) => {
                Some(format!("{}, {}", one_or_many(messages, "message"), one_or_many(consumers, "consumer")))
            }
        }
    }
}

/// What [`Transport::survey`] sees.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survey {
    /// Product and version of the broker.
    pub server: String,
    /// Every binding but those of the default exchange.
    pub bindings: Vec<BindingDefinition>,
}

/// How to consume a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumeOptions {
    /// How many unsettled messages the broker may have outstanding with this consumer; 0 means no limit.
    pub prefetch: u16,
    /// Names the consumer for people who look at the broker.
    pub tag: String,
}

/// An active subscription to a queue. Dropping it gives back what it had not settled.
pub trait Consumer: fmt::Debug + Send {
    /// The next message. It is never an end but after [`cancel`](Consumer::cancel): a lost connection or a deleted queue is the
    /// transport's business, which comes back by itself. An error tells about such a loss, or why coming back fails; the
    /// consumer lives on.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming, Error>>>;

    /// What tells, while somebody else polls the consumer, whether it receives.
    fn lookout(&self) -> Lookout;

    /// Asks the broker for no more messages. What had arrived already still comes out of `poll_next`, then its end.
    fn cancel(&mut self) -> BoxFuture<'_, ()>;

    /// Writes out the settlements that are still under way, then closes; unsettled messages go back to the queue unharmed.
    fn close(self: Box<Self>, within: Duration) -> BoxFuture<'static, ()>;
}

/// A walk through a queue, message by message, that leaves behind what it does not remove.
///
/// It ends although messages keep arriving, and holds a bounded part of the queue in memory. What is acknowledged is gone; all
/// else is where it was when the browser has closed, in the same order.
///
/// The embedded broker shows messages without handing them out. RabbitMQ cannot do that: it hands them out and takes them
/// back, which sets its own flag `redelivered` on them and counts in `x-delivery-count`.
pub trait Browser: fmt::Debug + Send {
    /// The next message; `None` after the last one that the queue held when the walk began. Settle it with
    /// [`Ack`](Verdict::Ack) to remove it, or drop it to leave it where it is.
    ///
    /// # Errors
    /// What the broker says; everything that was not removed is back in the queue then.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Incoming>, Error>>;

    /// Writes the settlements that are still under way, and puts back what was not removed.
    ///
    /// # Errors
    /// What the broker says; everything that was not removed is back in the queue then, too.
    fn close(self: Box<Self>) -> BoxFuture<'static, Result<(), Error>>;
}

/// Whether a consumer receives, as of now. It never asks the broker.
pub type Lookout = Arc<dyn Fn() -> Standing + Send + Sync>;

/// Whether a consumer receives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The broker delivers to it.
    Receiving,
    /// It was lost and is on its way back, or has ended; and why.
    Away(String),
}

/// A message as a transport hands it over: to settle exactly once.
#[derive(Debug)]
#[must_use = "an unsettled message stays with the consumer until it closes"]
pub struct Incoming {
    /// The message.
    pub envelope: Arc<Envelope>,
    /// The broker says that it may have been delivered before. Never an attempt count.
    pub redelivered: bool,
    /// How often a quorum queue has delivered it before, when the broker tells (`x-delivery-count`).
    pub delivery_count: Option<u32>,
    /// What is wrong with it, when the transport could not read it as it came over the wire: a name that is not UTF-8, tables
    /// without end. The envelope is what could be made of it. It is for the dead letters, not for a handler.
    pub defect: Option<String>,
    /// The right to settle it.
    pub settler: Settler,
}

/// The right to settle one message; used up by settling.
#[derive(Debug)]
#[must_use = "an unsettled message stays with the consumer until it closes"]
pub struct Settler {
    channel: Arc<dyn SettleChannel>,
    tag: u64,
}

impl Settler {
    /// For transports: the message with this tag, to settle on this channel.
    pub fn new(channel: Arc<dyn SettleChannel>, tag: u64) -> Self {
        Self { channel, tag }
    }

    /// The number that its channel knows the message by.
    pub(crate) fn tag(&self) -> u64 {
        self.tag
    }

    /// Tells the broker what became of the message. It is written at once or queued for writing, in order; nothing is awaited,
    /// as AMQP has no answer to it.
    ///
    /// # Errors
    /// [`Disconnected`](crate::ErrorKind::Disconnected) when the channel that delivered it is gone: the broker will deliver
    /// the message again.
    pub fn settle(self, verdict: Verdict) -> Result<(), Error> {
        self.channel.settle(self.tag, verdict)
    }
}

/// The channel that delivered a message, for transports to implement.
pub trait SettleChannel: fmt::Debug + Send + Sync {
    /// Settles the message with this tag.
    ///
    /// # Errors
    /// [`Disconnected`](crate::ErrorKind::Disconnected) when this channel is gone.
    fn settle(&self, tag: u64, verdict: Verdict) -> Result<(), Error>;
}

/// What a broker can be told about a message: the three frames of AMQP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done: the broker forgets it (`basic.ack`).
    Ack,
    /// Back to the queue at once (`basic.nack` or `basic.reject` with requeue).
    Requeue,
    /// To the queue's own dead-letter exchange, else gone (`basic.reject` without requeue).
    Reject,
}
