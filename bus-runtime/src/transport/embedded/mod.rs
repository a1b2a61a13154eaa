//! A broker inside this process that behaves as RabbitMQ does.

mod browse;
mod cc;
mod compare;
mod connection;
mod consumer;
mod dead_letter;
mod death;
mod declare;
mod delete;
mod effects;
mod errors;
mod exchange;
mod limits;
mod publish;
mod queue;
mod ready;
mod settle;
mod shared;
mod slots;
mod snapshot;
mod state;
mod subscription;
mod timer;
mod transport;

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use self::connection::Connection;
use self::limits::Limits;
use self::shared::Shared;
pub use self::snapshot::{QueueSnapshot, Totals};
use crate::envelope::Envelope;
use crate::names::QueueName;

/// A broker inside this process that behaves as RabbitMQ does: exchanges, queues, acknowledgements, dead letters, time to live.
///
/// It is the default transport of Bus and can be used alone. Messages live in memory and are gone with the last handle.
///
/// ```
/// use std::{future::poll_fn, sync::Arc};
///
/// use bus_runtime::topology::{Binding, Destination, Exchange, Queue, QueueType, Topology};
/// use bus_runtime::transport::{Confirmation, ConsumeOptions, Transport, Verdict};
/// use bus_runtime::{BindingKey, EmbeddedBroker, Envelope, ExchangeName, QueueName, RoutingKey};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let broker = EmbeddedBroker::new();
/// let (react, index) = (ExchangeName::new("react")?, QueueName::new("index")?);
/// broker
///     .declare(&Topology {
///         exchanges: vec![Exchange::topic(react.clone())],
///         queues: vec![Queue::durable(index.clone(), QueueType::Quorum)],
///         bindings: vec![Binding {
///             exchange: react.clone(),
///             destination: Destination::Queue(index.clone()),
///             key: BindingKey::parse("wiki.#")?,
///         }],
///     })
///     .await?;
///
/// let message = Envelope::new(react, RoutingKey::new("wiki.page.saved")?, "Home");
/// assert_eq!(broker.publish(Arc::new(message)).await?, Confirmation::Routed);
///
/// let options = ConsumeOptions { prefetch: 10, tag: "example".into() };
/// let mut consumer = broker.consume(&index, options).await?;
/// let incoming = poll_fn(|cx| consumer.poll_next(cx)).await.expect("only a cancelled consumer ends")?;
/// assert_eq!(incoming.envelope.body, "Home");
/// incoming.settler.settle(Verdict::Ack)?;
/// assert!(broker.is_quiet());
/// # Ok(())
/// # }
/// ```
///
/// # Connections
///
/// Each handle is a connection of its own, and so is each clone: an exclusive queue belongs to the handle that declared it. A
/// connection ends with [`close`](crate::transport::Transport::close), or when its handle and all consumers that it gave out
/// are dropped. Then its exclusive queues are deleted, and its unsettled messages go back to their queues.
///
/// # Time
///
/// Time is tokio's, so tests can pause it. A handle needs no runtime to be made; without one nothing expires by itself, but
/// nobody sees a message after its time either.
///
/// # Limits
///
/// The broker holds at most a million messages and a gigabyte of bodies, counted once per queue; see
/// [`builder`](Self::builder). When it is full its status is
/// [`Blocked`](crate::transport::ConnectionStatus::Blocked) and publishers wait, in their order, for 30 seconds; then they get
/// [`Nacked`](crate::ErrorKind::Nacked). One message to many queues, and dead letters, may pass the limit.
///
/// # Where it differs from RabbitMQ
///
/// It was built from what RabbitMQ 3.10.8 was seen to do. It has no headers exchanges, no alternate exchanges, no `CC` and
/// `BCC` headers, no transactions, no consumer priorities, no policies, no streams and no names chosen by the broker. And:
///
/// - `durable` and `persistent` are remembered, but nothing survives the process.
/// - A quorum queue with `reject-publish` holds exactly its `x-max-length`; RabbitMQ's takes one message more.
/// - When the active one of single active consumers is cancelled, the next one takes over at once; in a classic queue of
///   RabbitMQ 3.10.8 it does so only with the next event of the queue.
/// - With `x-dead-letter-strategy = at-least-once` a dead letter arrives in all queues that its exchange leads to or in none. It
///   is tried again as soon as the topology changes or there is space; RabbitMQ tries every three minutes.
/// - Who settles a message whose queue was deleted gets an error; RabbitMQ says nothing.
/// - `inspect` counts the consumers of a quorum queue; RabbitMQ counts who has taken a message with `get` among them.
/// - A quorum queue says its count of deliveries in `Incoming::delivery_count`, not in the header `x-delivery-count`.
/// - Consumers may share a tag.
pub struct EmbeddedBroker {
    connection: Arc<Connection>,
}

impl EmbeddedBroker {
    /// An empty broker with the default limits.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// A broker with other limits.
    pub fn builder() -> EmbeddedBrokerBuilder {
        EmbeddedBrokerBuilder { limits: Limits::default() }
    }

    /// All queues, by name.
    #[must_use]
    pub fn queues(&self) -> Vec<QueueSnapshot> {
        self.connection.shared().queues()
    }

    /// The ready messages of a queue in the order in which they will be delivered; none if there is no such queue.
    #[must_use]
    pub fn peek(&self, queue: &QueueName) -> Vec<Arc<Envelope>> {
        self.connection.shared().peek(queue)
    }

    /// What the broker has done so far.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.connection.shared().with(|state| state.totals)
    }

    /// Whether no consumer has or will get a message now: no queue with consumers has ready messages, and no consumer has
    /// unsettled ones. What waits in a queue without consumers does not count, such as delayed messages; what has expired by
    /// now has moved on before the answer is given.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.connection.shared().is_quiet()
    }

    /// Waits until the broker [is quiet](Self::is_quiet).
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub async fn settled(&self) {
        self.connection.shared().settled().await;
    }

    /// When the next message expires, in whichever queue.
    #[must_use]
    pub fn next_due(&self) -> Option<Instant> {
        self.connection.shared().next_due()
    }
}

impl Default for EmbeddedBroker {
    fn default() -> Self {
        Self::new()
    }
}

/// Makes a new connection to the same broker.
impl Clone for EmbeddedBroker {
    fn clone(&self) -> Self {
        Self { connection: Connection::new(Arc::clone(self.connection.shared())) }
    }
}

impl fmt::Debug for EmbeddedBroker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedBroker").field("queues", &self.queues()).finish_non_exhaustive()
    }
}

/// The limits of an [`EmbeddedBroker`], from [`EmbeddedBroker::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct EmbeddedBrokerBuilder {
    limits: Limits,
}

impl EmbeddedBrokerBuilder {
    /// How many messages all queues together hold; 1 000 000 unless set. A message in two queues counts twice.
    pub fn messages_max(mut self, messages: u64) -> Self {
        self.limits.messages = messages;
        self
    }

    /// How many bytes of bodies all queues together hold; 1 GiB unless set. A message in two queues counts twice.
    pub fn bytes_max(mut self, bytes: u64) -> Self {
        self.limits.bytes = bytes;
        self
    }

    /// How long a publisher waits for space in a full broker before it gets an error; 30 s unless set.
    pub fn publish_wait(mut self, wait: Duration) -> Self {
        self.limits.publish_wait = wait;
        self
    }

    /// The broker.
    #[must_use]
    pub fn build(self) -> EmbeddedBroker {
        EmbeddedBroker { connection: Connection::new(Arc::new(Shared::new(self.limits))) }
    }
}
