//! Declarations: exchanges, queues and bindings come into being, or are compared with what is there.

use super::exchange::{Exchange, Source, Target};
use super::queue::{ConnectionId, Queue, QueueId};
use super::state::State;
use super::{delete::Will, errors};
use crate::error::Error;
use crate::names::{ExchangeName, QueueName, RoutingKey};
use crate::seam;
use crate::topology::diff::Difference;
use crate::topology::{self, Binding, Destination, ExchangeKind, QueueType, Topology};

/// What only the broker itself may declare.
const RESERVED: &str = "amq.";

impl State {
    pub(super) fn declare(&mut self, topology: &Topology, connection: ConnectionId) -> Result<(), Error> {
        topology.exchanges.iter().try_for_each(|exchange| self.declare_exchange(exchange))?;
        topology.queues.iter().try_for_each(|queue| self.declare_queue(queue, connection))?;
        topology.bindings.iter().try_for_each(|binding| self.bind(binding, connection))?;
        self.retry_unrouted();
        Ok(())
    }

    /// The exchanges that RabbitMQ has from the start, as far as this broker knows their kinds.
    pub(super) fn declare_predefined(&mut self) {
        for kind in [ExchangeKind::Direct, ExchangeKind::Fanout, ExchangeKind::Topic] {
            if let Ok(name) = ExchangeName::new(format!("{RESERVED}{kind}")) {
                self.insert_exchange(&topology::Exchange { kind, ..topology::Exchange::topic(name) });
            }
        }
    }

    fn declare_exchange(&mut self, wanted: &topology::Exchange) -> Result<(), Error> {
        if wanted.name.is_default() {
            return Err(errors::default_exchange());
        }
        match self.exchange_ids.get(&wanted.name).and_then(|id| self.exchanges.get(*id)) {
            Some(exchange) => same_exchange(&exchange.declared, wanted),
            None if wanted.name.starts_with(RESERVED) => Err(errors::reserved("exchange", &wanted.name)),
            None => {
                self.insert_exchange(wanted);
                Ok(())
            }
        }
    }

    fn insert_exchange(&mut self, declared: &topology::Exchange) {
        let id = self.exchanges.insert(Exchange::new(declared.clone()));
        self.exchange_ids.insert(declared.name.clone(), id);
    }

    fn declare_queue(&mut self, wanted: &topology::Queue, connection: ConnectionId) -> Result<(), Error> {
        if wanted.name.is_empty() {
            return Err(errors::nameless_queue());
        }
        let Some(id) = self.queue_ids.get(&wanted.name).copied() else {
            check_options(wanted)?;
            self.insert_queue(wanted, wanted.exclusive.then_some(connection));
            return Ok(());
        };
        let Some(queue) = self.queues.get_mut(id) else { return Ok(()) };
        if queue.owner.is_some_and(|owner| owner != connection)
            || queue.declared.exclusive != wanted.exclusive
        {
            return Err(errors::locked(&wanted.name));
        }
        same_queue(&queue.declared, wanted)?;
        queue.unused_since = seam::now();
        self.refresh(id);
        Ok(())
    }

    fn insert_queue(&mut self, declared: &topology::Queue, owner: Option<ConnectionId>) {
        let id = self.queues.insert(Queue::new(declared.clone(), owner));
        self.queue_ids.insert(declared.name.clone(), id);
        self.refresh(id);
        self.adopt_orphans(&declared.name, id);
    }

    fn bind(&mut self, binding: &Binding, connection: ConnectionId) -> Result<(), Error> {
        let Binding { exchange, destination, key } = binding;
        if exchange.is_default() {
            return Err(errors::default_exchange());
        }
        let from = *self.exchange_ids.get(exchange).ok_or_else(|| errors::no_exchange(exchange))?;
        let target = match destination {
            Destination::Queue(name) => Target::Queue(self.find_queue(name, connection)?),
            Destination::Exchange(name) if name.is_default() => return Err(errors::default_exchange()),
            Destination::Exchange(name) => {
                Target::Exchange(*self.exchange_ids.get(name).ok_or_else(|| errors::no_exchange(name))?)
            }
        };
        if self.exchanges.get_mut(from).is_some_and(|exchange| exchange.bind(key, target)) {
            let source = Source { exchange: from, key: key.clone() };
            self.sources(target).into_iter().for_each(|sources| sources.push(source.clone()));
        }
        Ok(())
    }

    /// What leads to a queue or exchange.
    pub(super) fn sources(&mut self, target: Target) -> Option<&mut Vec<Source>> {
        match target {
            Target::Queue(id) => self.queues.get_mut(id).map(|queue| &mut queue.sources),
            Target::Exchange(id) => self.exchanges.get_mut(id).map(|exchange| &mut exchange.sources),
        }
    }

    /// A queue that this connection may use.
    pub(super) fn find_queue(&self, name: &QueueName, connection: ConnectionId) -> Result<QueueId, Error> {
        let id = *self.queue_ids.get(name).ok_or_else(|| errors::no_queue(name))?;
        match self.queues.get(id).and_then(|queue| queue.owner) {
            Some(owner) if owner != connection => Err(errors::locked(name)),
            _ => Ok(id),
        }
    }

    /// Declares a deleted queue as it was. Bindings to exchanges that are gone as well stay away.
    pub(super) fn execute(&mut self, will: &Will) {
        if !self.queue_ids.contains_key(&will.queue.name) {
            self.insert_queue(&will.queue, will.owner);
        }
        let connection = will.owner.unwrap_or_default();
        for (exchange, key) in &will.bindings {
            let destination = Destination::Queue(will.queue.name.clone());
            let _ =
                self.bind(&Binding { exchange: exchange.clone(), destination, key: key.clone() }, connection);
        }
        self.retry_unrouted();
    }
}

fn same_exchange(has: &topology::Exchange, wants: &topology::Exchange) -> Result<(), Error> {
    refuse("exchange", &wants.name, exchange_differences(has, wants))
}

fn same_queue(has: &topology::Queue, wants: &topology::Queue) -> Result<(), Error> {
    refuse("queue", &wants.name, queue_differences(has, wants))
}

/// Everything in which an exchange differs from a declaration.
pub(super) fn exchange_differences(has: &topology::Exchange, wants: &topology::Exchange) -> Vec<Difference> {
    let properties = [
        ("type", has.kind.to_string(), wants.kind.to_string()),
        ("durable", has.durable.to_string(), wants.durable.to_string()),
        ("auto_delete", has.auto_delete.to_string(), wants.auto_delete.to_string()),
    ];
    properties.into_iter().filter_map(different).collect()
}

/// Everything in which a queue differs from a declaration.
pub(super) fn queue_differences(has: &topology::Queue, wants: &topology::Queue) -> Vec<Difference> {
    let type_of = |queue: &topology::Queue| queue.arguments.queue_type.as_str().to_owned();
    let properties = [
        ("x-queue-type", type_of(has), type_of(wants)),
        ("durable", has.durable.to_string(), wants.durable.to_string()),
        ("auto_delete", has.auto_delete.to_string(), wants.auto_delete.to_string()),
    ];
    let (has, wants) = (has.arguments.to_table(), wants.arguments.to_table());
    let mut names: Vec<&str> = has.iter().chain(wants.iter()).map(|(name, _)| name).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| *name != "x-queue-type");
    let arguments = names.into_iter().filter_map(|name| {
        let [current, wanted] = [&has, &wants].map(|table| table.get(name).map(ToString::to_string));
        (current != wanted).then(|| Difference { argument: name.to_owned(), wanted, current })
    });
    properties.into_iter().filter_map(different).chain(arguments).collect()
}

fn different((property, has, wants): (&str, String, String)) -> Option<Difference> {
    let difference = |argument: &str| Difference {
        argument: argument.to_owned(),
        wanted: Some(wants.clone()),
        current: Some(has.clone()),
    };
    (has != wants).then(|| difference(property))
}

fn refuse(what: &str, name: &str, differences: Vec<Difference>) -> Result<(), Error> {
    match differences.into_iter().next() {
        Some(first) => Err(errors::mismatch(what, name, &first)),
        None => Ok(()),
    }
}

/// Refuses what RabbitMQ refuses.
fn check_options(queue: &topology::Queue) -> Result<(), Error> {
    let topology::Queue { name, durable, exclusive, auto_delete, arguments } = queue;
    if name.starts_with(RESERVED) {
        return Err(errors::reserved("queue", name));
    }
    let quorum = arguments.queue_type == QueueType::Quorum;
    let key = arguments.dead_letter_routing_key.as_deref();
    let problems = [
        (quorum && !durable, "a quorum queue is always durable"),
        (quorum && *exclusive, "a quorum queue cannot be exclusive"),
        (quorum && *auto_delete, "a quorum queue cannot be deleted automatically"),
        (quorum && arguments.max_priority.is_some(), "a quorum queue knows no `x-max-priority`"),
        (!quorum && arguments.delivery_limit.is_some(), "a classic queue knows no `x-delivery-limit`"),
        (
            !quorum && arguments.dead_letter_strategy.is_some(),
            "a classic queue knows no `x-dead-letter-strategy`",
        ),
        (
            key.is_some() && arguments.dead_letter_exchange.is_none(),
            "`x-dead-letter-routing-key` needs `x-dead-letter-exchange`",
        ),
        (
            key.is_some_and(|key| RoutingKey::new(key).is_err()),
            "`x-dead-letter-routing-key` is longer than a routing key may be",
        ),
    ];
    match problems.iter().find(|(found, _)| *found) {
        Some((_, problem)) => Err(errors::option(name, problem)),
        None => Ok(()),
    }
}
