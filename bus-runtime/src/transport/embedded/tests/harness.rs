//! A broker to ask, and short words to ask it with.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::topology::{
    self, Binding, Destination, Exchange, ExchangeKind, QueueArguments, QueueType, Topology,
};
use crate::transport::{Confirmation, ConsumeOptions, Consumer, Incoming, Transport, Verdict};
use crate::{BindingKey, EmbeddedBroker, Envelope, Error, ErrorKind, ExchangeName, QueueName, RoutingKey};

pub(super) struct World {
    pub(super) broker: EmbeddedBroker,
}

impl World {
    pub(super) async fn with<const N: usize>(queues: [topology::Queue; N]) -> Self {
        let world = Self { broker: EmbeddedBroker::new() };
        for queue in queues {
            world.declare(queue).await.unwrap();
        }
        world
    }

    pub(super) async fn declare(&self, queue: topology::Queue) -> Result<(), Error> {
        self.broker.declare(&Topology { queues: vec![queue], ..Topology::default() }).await
    }

    pub(super) async fn exchange(&self, name: &str, kind: ExchangeKind) {
        let exchange = Exchange { kind, ..Exchange::topic(exchange(name)) };
        self.broker.declare(&Topology { exchanges: vec![exchange], ..Topology::default() }).await.unwrap();
    }

    pub(super) async fn bind(&self, from: &str, key: &str, destination: Destination) {
        let binding = binding(from, key, destination);
        self.broker.declare(&Topology { bindings: vec![binding], ..Topology::default() }).await.unwrap();
    }

    pub(super) async fn publish(&self, to: &str, key: &str, body: &str) -> Result<Confirmation, ErrorKind> {
        self.publish_as(to, key, body, |_| {}).await
    }

    pub(super) async fn publish_as(
        &self,
        to: &str,
        key: &str,
        body: &str,
        change: impl FnOnce(&mut Envelope),
    ) -> Result<Confirmation, ErrorKind> {
        let mut envelope = Envelope::new(exchange(to), RoutingKey::new(key).unwrap(), body.to_owned());
        change(&mut envelope);
        self.broker.publish(Arc::new(envelope)).await.map_err(|error| error.kind())
    }

    /// Publishes to a queue that takes it.
    pub(super) async fn send(&self, queue: &str, body: &str) {
        assert_eq!(self.publish("", queue, body).await, Ok(Confirmation::Routed));
    }

    /// Publishes the bodies `from..to`.
    pub(super) async fn send_all(&self, queue: &str, bodies: std::ops::Range<u32>) {
        for body in bodies {
            self.send(queue, &body.to_string()).await;
        }
    }

    /// Publishes a message that expires.
    pub(super) async fn send_for(&self, queue: &str, body: &str, millis: u64) {
        let expiration = Some(Duration::from_millis(millis));
        let sent =
            self.publish_as("", queue, body, |envelope| envelope.properties.expiration = expiration).await;
        assert_eq!(sent, Ok(Confirmation::Routed));
    }

    pub(super) async fn consume(&self, queue: &str, prefetch: u16) -> TestConsumer {
        TestConsumer(self.try_consume(queue, prefetch).await.unwrap())
    }

    pub(super) async fn try_consume(&self, queue: &str, prefetch: u16) -> Result<Box<dyn Consumer>, Error> {
        self.broker.consume(&name(queue), ConsumeOptions { prefetch, tag: "test".into() }).await
    }

    pub(super) async fn get(&self, queue: &str) -> Option<Incoming> {
        self.broker.get(&name(queue)).await.unwrap()
    }

    /// Takes one message off a queue for good.
    pub(super) async fn take(&self, queue: &str) -> Arc<Envelope> {
        let incoming = self.get(queue).await.unwrap();
        let envelope = Arc::clone(&incoming.envelope);
        settle(incoming, Verdict::Ack);
        envelope
    }

    pub(super) async fn delete(&self, queue: &str) {
        self.broker.delete_queue(&name(queue)).await.unwrap();
    }

    /// How many messages are ready and how many unacknowledged.
    pub(super) fn counts(&self, queue: &str) -> (u64, u64) {
        let queues = self.broker.queues();
        let queue = queues.iter().find(|snapshot| snapshot.name == queue).unwrap();
        (queue.ready, queue.unacknowledged)
    }

    pub(super) fn stuck(&self, queue: &str) -> u64 {
        self.broker.queues().iter().find(|snapshot| snapshot.name == queue).unwrap().stuck
    }

    pub(super) fn exists(&self, queue: &str) -> bool {
        self.broker.queues().iter().any(|snapshot| snapshot.name == queue)
    }

    /// The bodies of the ready messages.
    pub(super) fn peek(&self, queue: &str) -> Vec<String> {
        self.broker.peek(&name(queue)).iter().map(|envelope| text(envelope)).collect()
    }

    pub(super) fn first(&self, queue: &str) -> Arc<Envelope> {
        self.broker.peek(&name(queue)).remove(0)
    }
}

pub(super) struct TestConsumer(pub(super) Box<dyn Consumer>);

impl TestConsumer {
    /// What comes out right now.
    pub(super) fn poll(&mut self) -> Poll<Option<Result<Incoming, Error>>> {
        self.0.poll_next(&mut Context::from_waker(Waker::noop()))
    }

    /// The message that is there.
    pub(super) fn next(&mut self) -> Incoming {
        match self.poll() {
            Poll::Ready(Some(Ok(incoming))) => incoming,
            other => panic!("no message but {other:?}"),
        }
    }

    /// The next message, whenever it comes.
    pub(super) async fn wait(&mut self) -> Option<Result<Incoming, Error>> {
        std::future::poll_fn(|cx| self.0.poll_next(cx)).await
    }

    /// All messages that are there.
    pub(super) fn all(&mut self) -> Vec<Incoming> {
        let mut all = Vec::new();
        while let Poll::Ready(Some(Ok(incoming))) = self.poll() {
            all.push(incoming);
        }
        all
    }

    /// The bodies of all messages that are there; they stay unsettled.
    pub(super) fn bodies(&mut self) -> Vec<String> {
        self.all().iter().map(|incoming| text(&incoming.envelope)).collect()
    }

    /// Acknowledges all that is there and all that follows from it.
    pub(super) fn drain(&mut self) -> Vec<String> {
        let mut bodies = Vec::new();
        while let Poll::Ready(Some(Ok(incoming))) = self.poll() {
            bodies.push(text(&incoming.envelope));
            settle(incoming, Verdict::Ack);
        }
        bodies
    }

    pub(super) async fn close(self) {
        self.0.close(Duration::ZERO).await;
    }
}

pub(super) fn settle(incoming: Incoming, verdict: Verdict) {
    incoming.settler.settle(verdict).unwrap();
}

pub(super) fn text(envelope: &Envelope) -> String {
    String::from_utf8(envelope.body.to_vec()).unwrap()
}

pub(super) fn name(queue: &str) -> QueueName {
    QueueName::new(queue).unwrap()
}

pub(super) fn exchange(name: &str) -> ExchangeName {
    ExchangeName::new(name).unwrap()
}

pub(super) fn to_queue(queue: &str) -> Destination {
    Destination::Queue(name(queue))
}

pub(super) fn to_exchange(to: &str) -> Destination {
    Destination::Exchange(exchange(to))
}

pub(super) fn binding(from: &str, key: &str, destination: Destination) -> Binding {
    Binding { exchange: exchange(from), destination, key: BindingKey::parse(key).unwrap() }
}

pub(super) fn classic(queue: &str) -> topology::Queue {
    topology::Queue::durable(name(queue), QueueType::Classic)
}

pub(super) fn quorum(queue: &str) -> topology::Queue {
    topology::Queue::durable(name(queue), QueueType::Quorum)
}

/// A queue with arguments.
pub(super) fn having(
    mut queue: topology::Queue,
    change: impl FnOnce(&mut QueueArguments),
) -> topology::Queue {
    change(&mut queue.arguments);
    queue
}

/// A queue whose dead letters go to another queue.
pub(super) fn dying_to(queue: topology::Queue, dead: &str) -> topology::Queue {
    having(queue, |arguments| {
        arguments.dead_letter_exchange = Some(ExchangeName::default_exchange());
        arguments.dead_letter_routing_key = Some(dead.into());
    })
}

/// Lets time pass, and what is due happen.
pub(super) async fn pass(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}
