//! The broker as a transport.

use std::sync::Arc;
use std::time::Duration;

use super::EmbeddedBroker;
use super::browse::Walker;
use super::subscription::{Desk, Slip, Subscription};
use super::{publish::publish, queue::Holder};
use crate::envelope::Envelope;
use crate::error::{Error, ErrorKind};
use crate::names::{ExchangeName, QueueName};
use crate::topology::diff::Difference;
use crate::topology::{Binding, Exchange, Queue, QueueType, Topology};
use crate::transport::{
    BoxFuture, Browser, Confirmation, ConnectionStatus, ConsumeOptions, Consumer, Deletion, Incoming,
    LevelListener, QueueState, Survey, Transport, TransportDescription,
};

impl Transport for EmbeddedBroker {
    fn describe(&self) -> TransportDescription {
        TransportDescription {
            system: "embedded",
            address: "embedded:".into(),
            server: concat!("Bus embedded broker ", env!("CARGO_PKG_VERSION")).into(),
        }
    }

    fn declare<'a>(&'a self, topology: &'a Topology) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { self.connection.with(|state, connection| state.declare(topology, connection)) })
    }

    fn inspect<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<Option<QueueState>, Error>> {
        Box::pin(async {
            let found = self.connection.with(|state, connection| state.inspect(queue, connection));
            match found {
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                found => found,
            }
        })
    }

    fn has_exchange<'a>(&'a self, exchange: &'a ExchangeName) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async { self.connection.with(|state, _| Ok(state.exchange_ids.contains_key(exchange))) })
    }

    fn compare_exchange<'a>(
        &'a self,
        wanted: &'a Exchange,
    ) -> BoxFuture<'a, Result<Option<Vec<Difference>>, Error>> {
        Box::pin(async { self.connection.with(|state, _| Ok(state.compare_exchange(wanted))) })
    }

    fn compare_queue<'a>(
        &'a self,
        wanted: &'a Queue,
    ) -> BoxFuture<'a, Result<Option<Vec<Difference>>, Error>> {
        Box::pin(async { self.connection.with(|state, connection| state.compare_queue(wanted, connection)) })
    }

    fn survey(&self) -> BoxFuture<'_, Result<Survey, Error>> {
        Box::pin(async {
            let server = self.describe().server;
            self.connection.with(|state, _| Ok(Survey { server, bindings: state.bindings() }))
        })
    }

    fn publish(&self, envelope: Arc<Envelope>) -> BoxFuture<'static, Result<Confirmation, Error>> {
        Box::pin(publish(Arc::clone(&self.connection), envelope))
    }

    fn consume<'a>(
        &'a self,
        queue: &'a QueueName,
        options: ConsumeOptions,
    ) -> BoxFuture<'a, Result<Box<dyn Consumer>, Error>> {
        Box::pin(async move {
            let id =
                self.connection.with(|state, connection| state.subscribe(queue, connection, &options))?;
            Ok(Box::new(Subscription::new(Arc::clone(&self.connection), id)) as Box<dyn Consumer>)
        })
    }

    fn get<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<Option<Incoming>, Error>> {
        Box::pin(async {
            let delivered = self.connection.with(|state, connection| state.get(queue, connection))?;
            Ok(delivered.map(|delivered| {
                let holder = Holder::Getter(self.connection.id);
                let shared = Arc::clone(self.connection.shared());
                let desk = Desk { shared, queue: delivered.queue, holder };
                let slip = Arc::new(Slip { desk, tag: delivered.tag });
                delivered.into_incoming(slip)
            }))
        })
    }

    fn browse<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<Box<dyn Browser>, Error>> {
        Box::pin(async {
            let walk = self.connection.with(|state, connection| state.walk(queue, connection))?;
            Ok(Box::new(Walker::new(Arc::clone(self.connection.shared()), walk)) as Box<dyn Browser>)
        })
    }

    fn purge<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async { self.connection.with(|state, connection| state.purge(queue, connection)) })
    }

    fn delete_queue<'a>(&'a self, queue: &'a QueueName) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { self.connection.with(|state, connection| state.delete_queue(queue, connection)) })
    }

    fn delete_idle_queue<'a>(
        &'a self,
        queue: &'a QueueName,
        _queue_type: QueueType,
    ) -> BoxFuture<'a, Result<Deletion, Error>> {
        Box::pin(async {
            self.connection.with(|state, connection| state.delete_idle_queue(queue, connection))
        })
    }

    fn delete_unused_exchange<'a>(
        &'a self,
        exchange: &'a ExchangeName,
    ) -> BoxFuture<'a, Result<Deletion, Error>> {
        Box::pin(async { self.connection.with(|state, _| state.delete_unused_exchange(exchange)) })
    }

    fn delete_exchange<'a>(&'a self, exchange: &'a ExchangeName) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { self.connection.with(|state, _| state.delete_exchange(exchange)) })
    }

    fn unbind<'a>(&'a self, binding: &'a Binding) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async { self.connection.with(|state, connection| state.unbind(binding, connection)) })
    }

    fn watch_levels(&self, listener: LevelListener) -> bool {
        self.connection.shared().watch_levels(listener);
        true
    }

    fn status(&self) -> ConnectionStatus {
        if self.connection.is_closed() {
            return ConnectionStatus::Disconnected;
        }
        self.connection.shared().with(|state| {
            if state.load.is_full(&state.limits, 1) {
                ConnectionStatus::Blocked(format!("the broker {}", state.describe_load()))
            } else {
                ConnectionStatus::Connected
            }
        })
    }

    fn close(&self, _within: Duration) -> BoxFuture<'_, ()> {
        // Nothing is ever under way: what was published is in its queues, what was settled is settled.
        Box::pin(async { self.connection.close() })
    }
}
