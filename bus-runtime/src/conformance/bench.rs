//! A corner of a broker for one test, with what tests do there all the time.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::topology::{
    Binding, Destination, Exchange, ExchangeKind, Queue, QueueArguments, QueueType, Topology,
};
use crate::transport::{Confirmation, ConsumeOptions, Consumer, Incoming, Transport, Verdict};
use crate::{BindingKey, Envelope, Error, ExchangeName, QueueName, RoutingKey};
use tokio::time::timeout;

use super::{MOMENT, PATIENCE};
use crate::seam;

/// A corner of a broker for one test: all names have its prefix, and what it made is deleted at the end.
///
/// What a test does on the way asserts: what does not succeed panics. The forms that begin with `try_` return the error.
#[derive(Debug)]
pub struct Bench {
    transport: Arc<dyn Transport>,
    prefix: String,
    made: Mutex<Topology>,
}

impl Bench {
    /// A corner of this broker. The prefix is one that no other test has at the same time, where they share a broker.
    #[must_use]
    pub fn new(transport: Arc<dyn Transport>, prefix: impl Into<String>) -> Self {
        Self { transport, prefix: prefix.into(), made: Mutex::default() }
    }

    /// The broker itself.
    #[must_use]
    pub fn transport(&self) -> &dyn Transport {
        &*self.transport
    }

    /// A queue name of this corner.
    #[must_use]
    pub fn queue_name(&self, name: &str) -> QueueName {
        QueueName::new(format!("{}{name}", self.prefix)).expect("a short name")
    }

    /// An exchange name of this corner.
    #[must_use]
    pub fn exchange_name(&self, name: &str) -> ExchangeName {
        ExchangeName::new(format!("{}{name}", self.prefix)).expect("a short name")
    }

    /// Declares, and remembers to delete.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn try_declare(&self, topology: Topology) -> Result<(), Error> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).merge(topology.clone());
        self.transport.declare(&topology).await
    }

    /// Declares one queue.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn try_queue(&self, queue: Queue) -> Result<QueueName, Error> {
        let name = queue.name.clone();
        self.try_declare(Topology { queues: vec![queue], ..Topology::default() }).await?;
        Ok(name)
    }

    /// A durable classic queue with these arguments.
    pub async fn classic(&self, name: &str, set: impl FnOnce(&mut QueueArguments)) -> QueueName {
        self.queue(name, QueueType::Classic, set).await
    }

    /// A quorum queue with these arguments.
    pub async fn quorum(&self, name: &str, set: impl FnOnce(&mut QueueArguments)) -> QueueName {
        self.queue(name, QueueType::Quorum, set).await
    }

    /// A durable queue with these arguments.
    pub async fn queue(
        &self,
        name: &str,
        kind: QueueType,
        set: impl FnOnce(&mut QueueArguments),
    ) -> QueueName {
        let mut queue = Queue::durable(self.queue_name(name), kind);
        set(&mut queue.arguments);
        self.try_queue(queue).await.expect("the queue is declared")
    }

    /// A durable exchange.
    pub async fn exchange(&self, name: &str, kind: ExchangeKind) -> ExchangeName {
        let name = self.exchange_name(name);
        let exchange = Exchange { kind, ..Exchange::topic(name.clone()) };
        let topology = Topology { exchanges: vec![exchange], ..Topology::default() };
        self.try_declare(topology).await.expect("the exchange is declared");
        name
    }

    /// Binds a queue.
    pub async fn bind(&self, exchange: &ExchangeName, queue: &QueueName, key: &str) -> Binding {
        self.bind_to(exchange, Destination::Queue(queue.clone()), key).await
    }

    /// Binds a queue or an exchange.
    pub async fn bind_to(&self, exchange: &ExchangeName, destination: Destination, key: &str) -> Binding {
        let key = BindingKey::parse(key).expect("a short key");
        let binding = Binding { exchange: exchange.clone(), destination, key };
        let topology = Topology { bindings: vec![binding.clone()], ..Topology::default() };
        self.try_declare(topology).await.expect("the binding is declared");
        binding
    }

    /// Publishes whatever it is.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn try_publish(&self, envelope: Envelope) -> Result<Confirmation, Error> {
        timeout(PATIENCE * 2, self.transport.publish(Arc::new(envelope))).await.expect("publish ends")
    }

    /// Publishes a text; it need not reach a queue.
    pub async fn publish(&self, exchange: &ExchangeName, key: &str, body: &str) -> Confirmation {
        self.try_publish(message(exchange, key, body)).await.expect("the message is confirmed")
    }

    /// Publishes a text to one queue.
    pub async fn send(&self, queue: &QueueName, body: &str) {
        let routed = self.publish(&ExchangeName::default_exchange(), queue, body).await;
        assert_eq!(routed, Confirmation::Routed, "{queue} takes {body}");
    }

    /// Publishes numbers as texts to one queue.
    pub async fn send_numbers(&self, queue: &QueueName, numbers: std::ops::Range<u32>) {
        for number in numbers {
            self.send(queue, &number.to_string()).await;
        }
    }

    /// Starts to consume a queue.
    pub async fn consume(&self, queue: &QueueName, prefetch: u16) -> Reader {
        self.try_consume(queue, prefetch).await.expect("the queue is consumed")
    }

    /// Starts to consume a queue.
    ///
    /// # Errors
    /// What the broker says.
    pub async fn try_consume(&self, queue: &QueueName, prefetch: u16) -> Result<Reader, Error> {
        let options = ConsumeOptions { prefetch, tag: format!("{}reader", self.prefix) };
        self.transport.consume(queue, options).await.map(|consumer| Reader { consumer })
    }

    /// Takes everything that is ready in a queue off it.
    pub async fn drain(&self, queue: &QueueName) -> Vec<Arc<Envelope>> {
        let mut taken = Vec::new();
        while let Some(incoming) = self.transport.get(queue).await.expect("the queue is there") {
            taken.push(incoming.envelope);
            incoming.settler.settle(Verdict::Ack).expect("the channel is there");
        }
        taken
    }

    /// Takes the texts off a queue.
    pub async fn drain_texts(&self, queue: &QueueName) -> Vec<String> {
        self.drain(queue).await.iter().map(|envelope| text(envelope)).collect()
    }

    /// Waits until a queue has so many ready messages.
    pub async fn wait_for_ready(&self, queue: &QueueName, ready: u64) {
        eventually(&format!("{ready} ready messages in {queue}"), async || {
            self.ready(queue).await == Some(ready)
        })
        .await;
    }

    /// How many messages wait in a queue; `None` when there is no such queue.
    pub async fn ready(&self, queue: &QueueName) -> Option<u64> {
        self.transport.inspect(queue).await.expect("the queue can be looked at").map(|state| state.ready)
    }

    /// Deletes what the test made.
    pub async fn clean_up(self) {
        let made = self.made.into_inner().unwrap_or_else(PoisonError::into_inner);
        for queue in made.queues {
            let _ = self.transport.delete_queue(&queue.name).await;
        }
        for exchange in made.exchanges {
            let _ = self.transport.delete_exchange(&exchange.name).await;
        }
        self.transport.close(Duration::from_secs(5)).await;
    }
}

/// A consumer, with deadlines.
#[derive(Debug)]
pub struct Reader {
    /// What it reads.
    pub consumer: Box<dyn Consumer>,
}

impl Reader {
    /// The next item, whatever it is.
    pub async fn item(&mut self) -> Option<Result<Incoming, Error>> {
        timeout(PATIENCE, poll_fn(|cx| self.consumer.poll_next(cx))).await.expect("something arrives in time")
    }

    /// The next message.
    pub async fn next(&mut self) -> Incoming {
        self.item().await.expect("it is not the end").expect("it is no error")
    }

    /// The next messages, unsettled.
    pub async fn take(&mut self, count: usize) -> Vec<Incoming> {
        let mut taken = Vec::new();
        while taken.len() < count {
            taken.push(self.next().await);
        }
        taken
    }

    /// The texts of the next messages, which are acknowledged.
    pub async fn texts(&mut self, count: usize) -> Vec<String> {
        let mut texts = Vec::new();
        while texts.len() < count {
            let incoming = self.next().await;
            texts.push(text(&incoming.envelope));
            incoming.settler.settle(Verdict::Ack).expect("the channel is there");
        }
        texts
    }

    /// Nothing arrives for a moment.
    pub async fn assert_idle(&mut self) {
        let item = timeout(MOMENT, poll_fn(|cx| self.consumer.poll_next(cx))).await;
        assert!(item.is_err(), "nothing should arrive, but this did: {item:?}");
    }

    /// Closes the consumer.
    pub async fn close(self) {
        self.consumer.close(PATIENCE).await;
    }
}

/// Waits until something holds.
///
/// # Panics
/// When it does not in time.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = seam::now() + PATIENCE;
    while !holds().await {
        assert!(seam::now() < deadline, "waited in vain for {what}");
        seam::sleep(Duration::from_millis(15)).await;
    }
}

/// A persistent message with a text.
#[must_use]
pub fn message(exchange: &ExchangeName, key: &str, body: &str) -> Envelope {
    let key = RoutingKey::new(key).expect("a short key");
    let mut envelope = Envelope::new(exchange.clone(), key, body.to_owned());
    envelope.properties.persistent = true;
    envelope
}

/// A persistent message to one queue.
pub(super) fn to_queue(queue: &QueueName, body: &str) -> Envelope {
    message(&ExchangeName::default_exchange(), queue, body)
}

/// The text of a message.
#[must_use]
pub fn text(envelope: &Envelope) -> String {
    String::from_utf8_lossy(&envelope.body).into_owned()
}

/// The texts of messages.
pub(super) fn texts(incoming: &[Incoming]) -> Vec<String> {
    incoming.iter().map(|incoming| text(&incoming.envelope)).collect()
}
