//! Transports that get one thing wrong, around the embedded broker.

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bus_runtime::conformance::Bench;
use bus_runtime::topology::diff::Difference;
use bus_runtime::topology::{Binding, Exchange, Queue, QueueType, Topology};
use bus_runtime::transport::{
    BoxFuture, Browser, Confirmation, ConnectionStatus, ConsumeOptions, Consumer, Deletion, Incoming,
    Lookout, QueueState, SettleChannel, Settler, Survey, Transport, TransportDescription, Verdict,
};
use bus_runtime::{BindingKey, EmbeddedBroker, Envelope, Error, ExchangeName, QueueName};

/// What a transport gets wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// Nothing.
    None,
    /// `#` does not match no word at all.
    HashNeedsAWord,
    /// No acknowledgement of a consumer reaches the broker.
    AcksAreLost,
}

/// The embedded broker, and a flaw.
#[derive(Debug)]
pub(crate) struct Flawed {
    broker: EmbeddedBroker,
    flaw: Flaw,
}

impl Flawed {
    /// A corner of such a broker, whose waiting takes no time.
    pub(crate) async fn bench(flaw: Flaw) -> Bench {
        tokio::time::pause();
        Bench::new(Arc::new(Self { broker: EmbeddedBroker::new(), flaw }), "t.")
    }

    fn key(&self, key: &BindingKey) -> BindingKey {
        match self.flaw {
            Flaw::HashNeedsAWord => {
                let words = key.as_str().split('.').map(|word| if word == "#" { "*.#" } else { word });
                BindingKey::parse(words.collect::<Vec<_>>().join(".")).expect("a short key")
            }
            Flaw::None | Flaw::AcksAreLost => key.clone(),
        }
    }

    fn binding(&self, binding: &Binding) -> Binding {
        Binding { key: self.key(&binding.key), ..binding.clone() }
    }
}

impl Transport for Flawed {
    fn describe(&self) -> TransportDescription {
        self.broker.describe()
    }

    fn declare<'a>(&'a self, topology: &'a Topology) -> BoxFuture<'a, Result<(), Error>> {
        let mut topology = topology.clone();
        for binding in &mut topology.bindings {
            *binding = self.binding(binding);
        }
        Box::pin(async move { self.broker.declare(&topology).await })
    }

    fn inspect<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<Option<QueueState>, Error>> {
        self.broker.inspect(queue)
    }

    fn has_exchange<'a>(&'a self, exchange: &'a ExchangeName) -> BoxFuture<'a, Result<bool, Error>> {
        self.broker.has_exchange(exchange)
    }

    fn compare_exchange<'a>(
        &'a self,
        wanted: &'a Exchange,
    ) -> BoxFuture<'a, Result<Option<Vec<Difference>>, Error>> {
        self.broker.compare_exchange(wanted)
    }

    fn compare_queue<'a>(
        &'a self,
        wanted: &'a Queue,
    ) -> BoxFuture<'a, Result<Option<Vec<Difference>>, Error>> {
        self.broker.compare_queue(wanted)
    }

    fn survey(&self) -> BoxFuture<'_, Result<Survey, Error>> {
        self.broker.survey()
    }

    fn publish(&self, envelope: Arc<Envelope>) -> BoxFuture<'static, Result<Confirmation, Error>> {
        self.broker.publish(envelope)
    }

    fn consume<'a>(
        &'a self,
        queue: &'a QueueName,
        options: ConsumeOptions,
    ) -> BoxFuture<'a, Result<Box<dyn Consumer>, Error>> {
        Box::pin(async move {
            let consumer = self.broker.consume(queue, options).await?;
            Ok(match self.flaw {
                Flaw::AcksAreLost => Box::new(Deaf(consumer)),
                Flaw::None | Flaw::HashNeedsAWord => consumer,
            })
        })
    }

    fn get<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<Option<Incoming>, Error>> {
        self.broker.get(queue)
    }

    fn browse<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<Box<dyn Browser>, Error>> {
        self.broker.browse(queue)
    }

    fn purge<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<u64, Error>> {
        self.broker.purge(queue)
    }

    fn delete_queue<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<(), Error>> {
        self.broker.delete_queue(queue)
    }

    fn delete_idle_queue<'a>(
        &'a self,
        queue: &'a QueueName,
        queue_type: QueueType,
    ) -> BoxFuture<'a, Result<Deletion, Error>> {
        self.broker.delete_idle_queue(queue, queue_type)
    }

    fn delete_unused_exchange<'a>(
        &'a self,
        exchange: &'a ExchangeName,
    ) -> BoxFuture<'a, Result<Deletion, Error>> {
        self.broker.delete_unused_exchange(exchange)
    }

    fn delete_exchange<'a>(&'a self, exchange: &'a ExchangeName) -> BoxFuture<'a, Result<(), Error>> {
        self.broker.delete_exchange(exchange)
    }

    fn unbind<'a>(&'a self, binding: &'a Binding) -> BoxFuture<'a, Result<(), Error>> {
        let binding = self.binding(binding);
        Box::pin(async move { self.broker.unbind(&binding).await })
    }

    fn status(&self) -> ConnectionStatus {
        self.broker.status()
    }

    fn close(&self, within: Duration) -> BoxFuture<'_, ()> {
        self.broker.close(within)
    }
}

/// A consumer whose acknowledgements go nowhere.
#[derive(Debug)]
struct Deaf(Box<dyn Consumer>);

impl Consumer for Deaf {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Incoming, Error>>> {
        self.0.poll_next(cx).map(|item| {
            Some(item?.map(|incoming| {
                let Incoming { envelope, redelivered, delivery_count, defect, settler } = incoming;
                let settler = Settler::new(Arc::new(Lost(Mutex::new(Some(settler)))), 0);
                Incoming { envelope, redelivered, delivery_count, defect, settler }
            }))
        })
    }

    fn lookout(&self) -> Lookout {
        self.0.lookout()
    }

    fn cancel(&mut self) -> BoxFuture<'_, ()> {
        self.0.cancel()
    }

    fn close(self: Box<Self>, within: Duration) -> BoxFuture<'static, ()> {
        self.0.close(within)
    }
}

#[derive(Debug)]
struct Lost(Mutex<Option<Settler>>);

impl SettleChannel for Lost {
    fn settle(&self, _tag: u64, verdict: Verdict) -> Result<(), Error> {
        let settler = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match (verdict, settler) {
            (Verdict::Ack, _) | (_, None) => Ok(()),
            (verdict, Some(settler)) => settler.settle(verdict),
        }
    }
}
