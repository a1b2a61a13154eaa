//! Deletions: what goes along with a queue or an exchange, and what its consumers keep.

use std::sync::Arc;

use super::exchange::{Exchange, ExchangeId, Source, Target};
use super::queue::{ConnectionId, Holder, QueueId};
use super::ready::Entry;
use super::slots::Key;
use super::state::State;
use super::{errors, timer::Due};
use crate::binding_key::BindingKey;
use crate::error::Error;
use crate::names::{ExchangeName, QueueName};
use crate::topology::{self, Binding, Destination};
use crate::transport::{Deletion, QueueState};

/// What consumers of a deleted queue need to declare it anew.
#[derive(Debug)]
pub(super) struct Will {
    pub(super) queue: topology::Queue,
    pub(super) owner: Option<ConnectionId>,
    pub(super) bindings: Vec<(ExchangeName, BindingKey)>,
}

impl State {
    pub(super) fn delete_queue(&mut self, name: &QueueName, connection: ConnectionId) -> Result<(), Error> {
        if self.queue_ids.contains_key(name) {
            let id = self.find_queue(name, connection)?;
            self.remove_queue(id);
        }
        Ok(())
    }

    /// Deletes a queue that is empty and has no consumers. What is out for handling or stuck counts as being in it.
    pub(super) fn delete_idle_queue(
        &mut self,
        name: &QueueName,
        connection: ConnectionId,
    ) -> Result<Deletion, Error> {
        if !self.queue_ids.contains_key(name) {
            return Ok(Deletion::Done);
        }
        let id = self.find_queue(name, connection)?;
        let hold = self.queues.get(id).and_then(|queue| {
            let inside = queue.ready.len() + queue.held.len() + queue.stuck.len();
            let consumers = u32::try_from(queue.consumers.len()).unwrap_or(u32::MAX);
            QueueState { ready: inside as u64, consumers }.hold()
        });
        Ok(match hold {
            Some(why) => Deletion::Held(why),
            None => {
                self.remove_queue(id);
                Deletion::Done
            }
        })
    }

    /// Deletes a queue with its messages and bindings.
    pub(super) fn remove_queue(&mut self, id: QueueId) {
        let stuck = self.take_stuck(id);
        let Some(mut queue) = self.queues.remove(id) else { return };
        self.queue_ids.remove(&queue.declared.name);
        if let Some(at) = queue.alarm {
            self.timers.remove(&(at, Due::Queue(id)));
        }
        if queue.busy {
            self.count_busy(false);
        }
        let held = queue.held.take_if(|_| true).into_iter().map(|held| held.entry);
        let lost = queue.ready.clear().chain(held).chain(stuck).collect();
        self.lose(lost);
        let bindings = queue.sources.iter().filter_map(|source| {
            Some((self.exchanges.get(source.exchange)?.declared.name.clone(), source.key.clone()))
        });
        let bindings = bindings.collect();
        let will = Arc::new(Will { queue: queue.declared, owner: queue.owner, bindings });
        queue.consumers.into_iter().for_each(|consumer| self.orphan(consumer, &will));
        self.cut(&queue.sources, Target::Queue(id));
        // They waited for space in this queue: now it is missing, which is another reason to be stuck.
        self.retry(queue.waiting.into_values().collect());
        self.retry_unrouted();
    }

    /// Deletes the ready messages of a queue. As in RabbitMQ, stuck dead letters are none.
    pub(super) fn purge(&mut self, name: &QueueName, connection: ConnectionId) -> Result<u64, Error> {
        let id = self.find_queue(name, connection)?;
        let lost: Vec<Entry> =
            self.queues.get_mut(id).into_iter().flat_map(|queue| queue.ready.clear()).collect();
        let count = lost.len() as u64;
        self.lose(lost);
        self.refresh(id);
        Ok(count)
    }

    fn lose(&mut self, entries: Vec<Entry>) {
        self.totals.deleted += entries.len() as u64;
        entries.into_iter().for_each(|entry| self.forget(entry));
    }

    /// Deletes an exchange that no binding leads from.
    pub(super) fn delete_unused_exchange(&mut self, name: &ExchangeName) -> Result<Deletion, Error> {
        let exchange = self.exchange_ids.get(name).and_then(|id| self.exchanges.get(*id));
        if exchange.is_some_and(Exchange::is_used) {
            return Ok(Deletion::Held("others are bound to it".to_owned()));
        }
        self.delete_exchange(name).map(|()| Deletion::Done)
    }

    pub(super) fn delete_exchange(&mut self, name: &ExchangeName) -> Result<(), Error> {
        if name.is_default() {
            return Err(errors::default_exchange());
        }
        if name.starts_with("amq.") {
            return Err(errors::reserved("exchange", name));
        }
        if let Some(id) = self.exchange_ids.get(name) {
            self.remove_exchange(*id);
        }
        Ok(())
    }

    fn remove_exchange(&mut self, id: ExchangeId) {
        let Some(exchange) = self.exchanges.remove(id) else { return };
        self.exchange_ids.remove(&exchange.declared.name);
        let targets: Vec<Target> = (self.queues.iter().map(|(id, _)| Target::Queue(id)))
            .chain(self.exchanges.iter().map(|(id, _)| Target::Exchange(id)))
            .collect();
        for target in targets {
            if let Some(sources) = self.sources(target) {
                sources.retain(|source| source.exchange != id);
            }
        }
        self.cut(&exchange.sources, Target::Exchange(id));
    }

    pub(super) fn unbind(&mut self, binding: &Binding, connection: ConnectionId) -> Result<(), Error> {
        let Binding { exchange, destination, key } = binding;
        if exchange.is_default() {
            return Err(errors::default_exchange());
        }
        let target = match destination {
            Destination::Queue(name) if self.queue_ids.contains_key(name) => {
                Some(Target::Queue(self.find_queue(name, connection)?))
            }
            Destination::Queue(_) => None,
            Destination::Exchange(name) => self.exchange_ids.get(name).copied().map(Target::Exchange),
        };
        if let (Some(target), Some(from)) = (target, self.exchange_ids.get(exchange).copied()) {
            let gone = Source { exchange: from, key: key.clone() };
            if let Some(sources) = self.sources(target) {
                sources.retain(|source| *source != gone);
            }
            self.cut(&[gone], target);
        }
        Ok(())
    }

    /// Removes bindings from the exchanges that they are from, and the exchanges that go with their last binding.
    fn cut(&mut self, sources: &[Source], target: Target) {
        for Source { exchange: id, key } in sources {
            if self.exchanges.get_mut(*id).is_some_and(|exchange| exchange.unbind(key, target)) {
                self.remove_exchange(*id);
            }
        }
    }

    /// Ends all that belongs to a connection: its consumers, what it has taken off queues, its exclusive queues.
    pub(super) fn close_connection(&mut self, connection: ConnectionId) {
        let consumers = self.consumers.iter().filter(|(_, consumer)| consumer.connection == connection);
        let mut consumers: Vec<Key> = consumers.map(|(id, _)| id).collect();
        consumers.sort_unstable();
        for id in consumers {
            let closed = self.close_consumer(id);
            let left = closed.into_iter().flat_map(|consumer| consumer.buffer);
            left.for_each(|delivered| self.effects.drop.push(delivered.envelope));
        }
        let queues: Vec<(QueueId, Option<ConnectionId>)> =
            self.queues.iter().map(|(id, queue)| (id, queue.owner)).collect();
        for (id, owner) in queues {
            match owner {
                Some(owner) if owner == connection => self.remove_queue(id),
                _ => self.take_back_from(id, Holder::Getter(connection)),
            }
        }
    }
}
