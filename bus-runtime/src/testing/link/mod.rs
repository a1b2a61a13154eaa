//! What stands between an app under test and its broker: it does what networks and brokers do, when the test says so.
//!
//! It remembers what was declared, as every transport does: for a connection that comes back, and to be removed from a broker that
//! others use too.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures_util::FutureExt;

use self::consumer::{Linked, Slot};
use self::faults::Faults;
use super::journal::Journal;
use crate::envelope::Envelope;
use crate::error::{Error, ErrorKind};
use crate::names::{ExchangeName, QueueName};
use crate::topology::diff::Difference;
use crate::topology::{Binding, Destination, Exchange, Queue, QueueType, Topology};
use crate::transport::embedded::EmbeddedBroker;
use crate::transport::{
    BoxFuture, Browser, Confirmation, ConnectionStatus, ConsumeOptions, Consumer, Deletion, Incoming,
    LevelListener, Limits, QueueState, Survey, Transport, TransportDescription,
};

mod consumer;
mod faults;

pub use faults::BrokerFault;
pub(super) use faults::{OnAck, OnPublish, Trouble};

/// What stands between an app and its broker.
pub(super) struct Link {
    own: Weak<Link>,
    /// The connection of now.
    connection: Mutex<Arc<dyn Transport>>,
    /// The broker, when it is one that connections can be made to at once.
    broker: Option<EmbeddedBroker>,
    declared: Mutex<Topology>,
    consumers: Mutex<Vec<Weak<Slot>>>,
    faults: Faults,
    journal: Arc<Journal>,
}

impl Link {
    /// To a broker in this process, with all kinds of trouble.
    pub(super) fn to_embedded(broker: &EmbeddedBroker, journal: &Arc<Journal>) -> Arc<Self> {
        Self::new(Arc::new(broker.clone()), Some(broker.clone()), journal)
    }

    /// To whatever it is, without trouble.
    #[cfg(feature = "rabbitmq")]
    pub(super) fn to(transport: Arc<dyn Transport>, journal: &Arc<Journal>) -> Arc<Self> {
        Self::new(transport, None, journal)
    }

    fn new(
        connection: Arc<dyn Transport>,
        broker: Option<EmbeddedBroker>,
        journal: &Arc<Journal>,
    ) -> Arc<Self> {
        Arc::new_cyclic(|own| Self {
            own: Weak::clone(own),
            connection: Mutex::new(connection),
            broker,
            declared: Mutex::default(),
            consumers: Mutex::default(),
            faults: Faults::default(),
            journal: Arc::clone(journal),
        })
    }

    /// Plans trouble for the next message; for others, and for more of them, when the handle says so.
    pub(super) fn plan(self: &Arc<Self>, trouble: Trouble) -> BrokerFault {
        BrokerFault::new(Arc::clone(self), self.faults.plan(trouble))
    }

    /// Hands messages over in another order from now on.
    pub(super) fn reorder(&self, seed: u64) {
        self.faults.reorder(seed);
        self.journal.done(format!("messages come in another order (seed {seed})"), None);
    }

    /// Everything that was declared and not deleted again.
    #[cfg(feature = "rabbitmq")]
    pub(super) fn declared(&self) -> Topology {
        lock(&self.declared).clone()
    }

    /// Ends the connection and makes another one, as a transport does that comes back: what was not settled is delivered again,
    /// exclusive queues are gone and declared anew.
    pub(super) fn drop_connection(&self) {
        let Some(broker) = &self.broker else { return };
        self.journal.done("the connection is lost", None);
        let fresh: Arc<dyn Transport> = Arc::new(broker.clone());
        let old = std::mem::replace(&mut *lock(&self.connection), Arc::clone(&fresh));
        // The embedded broker answers at once.
        let _ = old.close(Duration::ZERO).now_or_never();
        let declared = lock(&self.declared).clone();
        if let Some(Err(error)) = fresh.declare(&declared).now_or_never() {
            tracing::error!(%error, "what was declared can't be declared again");
        }
        let mut consumers = lock(&self.consumers);
        consumers.retain(|slot| slot.upgrade().is_some());
        for slot in consumers.iter().filter_map(Weak::upgrade) {
            slot.come_back(&*fresh);
        }
    }

    fn connection(&self) -> Arc<dyn Transport> {
        Arc::clone(&lock(&self.connection))
    }

    /// What is deleted is not declared again.
    fn forget(&self, forget: impl FnOnce(&mut Topology)) {
        forget(&mut lock(&self.declared));
    }
}

/// What whoever uses a connection hears when the test has dropped it.
fn dropped() -> Error {
    Error::new(ErrorKind::Disconnected, "the connection was lost: the test has dropped it")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Transport for Link {
    fn describe(&self) -> TransportDescription {
        self.connection().describe()
    }

    fn declare<'a>(&'a self, topology: &'a Topology) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            // Also what fails half-way may be there.
            lock(&self.declared).merge(topology.clone());
            self.connection().declare(topology).await
        })
    }

    fn inspect<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<Option<QueueState>, Error>> {
        Box::pin(async move { self.connection().inspect(queue).await })
    }

    fn has_exchange<'a>(&'a self, exchange: &'a ExchangeName) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move { self.connection().has_exchange(exchange).await })
    }

    fn compare_exchange<'a>(
        &'a self,
        wanted: &'a Exchange,
    ) -> BoxFuture<'a, Result<Option<Vec<Difference>>, Error>> {
        Box::pin(async move { self.connection().compare_exchange(wanted).await })
    }

    fn compare_queue<'a>(
        &'a self,
        wanted: &'a Queue,
    ) -> BoxFuture<'a, Result<Option<Vec<Difference>>, Error>> {
        Box::pin(async move { self.connection().compare_queue(wanted).await })
    }

    fn survey(&self) -> BoxFuture<'_, Result<Survey, Error>> {
        Box::pin(async move { self.connection().survey().await })
    }

    fn publish(&self, envelope: Arc<Envelope>) -> BoxFuture<'static, Result<Confirmation, Error>> {
        let connection = self.connection();
        let Some(fault) = self.faults.of_publish(&envelope) else { return connection.publish(envelope) };
        self.journal.done(fault.to_string(), envelope.properties.message_id.as_deref());
        Box::pin(async move {
            match fault {
                OnPublish::Refused => {
                    Err(Error::new(ErrorKind::Nacked, "the broker refused it: the test has asked for that"))
                }
                OnPublish::Twice => {
                    let _first = connection.publish(Arc::clone(&envelope)).await?;
                    connection.publish(envelope).await
                }
                OnPublish::NoConfirm => {
                    let _unheard = connection.publish(envelope).await?;
                    std::future::pending().await
                }
            }
        })
    }

    fn consume<'a>(
        &'a self,
        queue: &'a QueueName,
        options: ConsumeOptions,
    ) -> BoxFuture<'a, Result<Box<dyn Consumer>, Error>> {
        Box::pin(async move {
            let consumer = self.connection().consume(queue, options.clone()).await?;
            let Some(link) = self.own.upgrade().filter(|link| link.broker.is_some()) else {
                return Ok(consumer);
            };
            let slot = Arc::new(Slot::new(queue.clone(), options, consumer));
            lock(&self.consumers).push(Arc::downgrade(&slot));
            Ok(Box::new(Linked::new(slot, link)) as Box<dyn Consumer>)
        })
    }

    fn get<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<Option<Incoming>, Error>> {
        Box::pin(async move { self.connection().get(queue).await })
    }

    fn browse<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<Box<dyn Browser>, Error>> {
        Box::pin(async move { self.connection().browse(queue).await })
    }

    fn purge<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move { self.connection().purge(queue).await })
    }

    fn delete_queue<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<(), Error>> {
        self.forget(|declared| forget_queue(declared, queue));
        Box::pin(async move { self.connection().delete_queue(queue).await })
    }

    fn delete_idle_queue<'a>(
        &'a self,
        queue: &'a QueueName,
        queue_type: QueueType,
    ) -> BoxFuture<'a, Result<Deletion, Error>> {
        Box::pin(async move {
            let deletion = self.connection().delete_idle_queue(queue, queue_type).await?;
            if deletion == Deletion::Done {
                self.forget(|declared| forget_queue(declared, queue));
            }
            Ok(deletion)
        })
    }

    fn delete_unused_exchange<'a>(
        &'a self,
        exchange: &'a ExchangeName,
    ) -> BoxFuture<'a, Result<Deletion, Error>> {
        Box::pin(async move {
            let deletion = self.connection().delete_unused_exchange(exchange).await?;
            if deletion == Deletion::Done {
                self.forget(|declared| declared.exchanges.retain(|known| known.name != *exchange));
            }
            Ok(deletion)
        })
    }

    fn delete_exchange<'a>(&'a self, exchange: &'a ExchangeName) -> BoxFuture<'a, Result<(), Error>> {
        self.forget(|declared| {
            declared.exchanges.retain(|known| known.name != *exchange);
            declared.bindings.retain(|binding| binding.exchange != *exchange);
        });
        Box::pin(async move { self.connection().delete_exchange(exchange).await })
    }

    fn unbind<'a>(&'a self, binding: &'a Binding) -> BoxFuture<'a, Result<(), Error>> {
        self.forget(|declared| declared.bindings.retain(|known| known != binding));
        Box::pin(async move { self.connection().unbind(binding).await })
    }

    fn watch_levels(&self, listener: LevelListener) -> bool {
        self.connection().watch_levels(listener)
    }

    fn status(&self) -> ConnectionStatus {
        self.connection().status()
    }

    fn limits(&self) -> Option<Limits> {
        self.connection().limits()
    }

    fn close(&self, within: Duration) -> BoxFuture<'_, ()> {
        Box::pin(async move { self.connection().close(within).await })
    }
}

fn forget_queue(declared: &mut Topology, queue: &QueueName) {
    declared.queues.retain(|known| known.name != *queue);
    declared.bindings.retain(|binding| match &binding.destination {
        Destination::Queue(destination) => destination != queue,
        Destination::Exchange(_) => true,
    });
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("connection", &self.connection()).finish_non_exhaustive()
    }
}
