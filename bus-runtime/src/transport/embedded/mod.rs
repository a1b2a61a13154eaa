//! A broker inside this process that behaves as RabbitMQ does.

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

/// A broker inside this process that behaves as RabbitMQ does.
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
    #[must_use]
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

/// A new connection to the same broker.
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
