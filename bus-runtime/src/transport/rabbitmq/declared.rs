//! What was declared, remembered: for the next connection, and for what others take away.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::attendance::Attendance;
use super::connection::Live;
use super::declare::declare;
use super::place::Place;
use crate::error::Error;
use crate::names::{ExchangeName, QueueName};
use crate::topology::{Binding, Destination, Exchange, ExchangeKind, Topology};

/// Everything that was declared through this transport and not deleted since.
#[derive(Debug, Default)]
pub(super) struct Declared {
    topology: Mutex<Topology>,
    /// Queues that have a consumer here. When one is deleted, its consumer brings it back, and nobody else: a quorum queue that
    /// is declared before its consumers were told of the deletion never tells them, and they wait for ever.
    consumed: Mutex<HashSet<QueueName>>,
    attendance: Attendance,
}

impl Declared {
    fn lock(&self) -> MutexGuard<'_, Topology> {
        self.topology.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The queue has a consumer from now on, and here is where that stands.
    pub(super) fn consumed(&self, queue: &QueueName, place: &Place) {
        self.looked_after(queue);
        self.attendance.enter(queue, place);
    }

    fn looked_after(&self, queue: &QueueName) {
        self.consumed.lock().unwrap_or_else(PoisonError::into_inner).insert(queue.clone());
    }

    /// Without the queues that their consumers look after.
    fn without_consumed(&self, mut topology: Topology) -> Topology {
        let consumed = self.consumed.lock().unwrap_or_else(PoisonError::into_inner);
        topology.queues.retain(|queue| !consumed.contains(&queue.name));
        topology
    }

    pub(super) fn remember(&self, topology: &Topology) {
        self.lock().merge(topology.clone());
    }

    pub(super) fn forget_queue(&self, queue: &QueueName) {
        let mut topology = self.lock();
        topology.queues.retain(|known| known.name != *queue);
        topology.bindings.retain(|known| known.destination != Destination::Queue(queue.clone()));
        drop(topology);
        self.consumed.lock().unwrap_or_else(PoisonError::into_inner).remove(queue);
    }

    pub(super) fn forget_exchange(&self, exchange: &ExchangeName) {
        let mut topology = self.lock();
        topology.exchanges.retain(|known| known.name != *exchange);
        topology.bindings.retain(|known| {
            known.exchange != *exchange && known.destination != Destination::Exchange(exchange.clone())
        });
    }

    pub(super) fn forget_binding(&self, binding: &Binding) {
        self.lock().bindings.retain(|known| known != binding);
    }

    /// Declares on a new connection what was declared on the old one. What the broker refuses is told and left out, so that
    /// one queue that changed in the meantime does not keep all the others away.
    ///
    /// # Errors
    /// When the connection is lost again.
    pub(super) async fn declare_anew(&self, live: &Live) -> Result<(), Error> {
        let topology = self.lock().clone();
        declare_what_can_be(live, topology).await
    }

    /// Declares on a connection that stands what somebody may have taken away, and looks whether the broker has our consumers.
    ///
    /// # Errors
    /// When the connection is lost.
    pub(super) async fn keep_up(&self, live: &Live) -> Result<(), Error> {
        let topology = self.lock().clone();
        declare_what_can_be(live, self.without_consumed(topology)).await?;
        self.attendance.call(live).await
    }

    /// What would make this message arrive, had nobody taken it away: the exchange, its bindings and their queues; for the default
    /// exchange the queue itself. But for queues that have a consumer here. `None` when nothing that was declared here would
    /// take it.
    pub(super) fn way_of(&self, exchange: &ExchangeName, routing_key: &str) -> Option<Topology> {
        let way = self.without_consumed(self.whole_way_of(exchange, routing_key)?);
        (way != Topology::default()).then_some(way)
    }

    fn whole_way_of(&self, exchange: &ExchangeName, routing_key: &str) -> Option<Topology> {
        let topology = self.lock();
        if exchange.is_default() {
            let queue = topology.queues.iter().find(|queue| queue.name.as_str() == routing_key)?;
            return Some(Topology { queues: vec![queue.clone()], ..Topology::default() });
        }
        let known = topology.exchanges.iter().find(|known| known.name == *exchange)?;
        let takes = |binding: &&Binding| match known.kind {
            ExchangeKind::Topic => binding.key.matches(routing_key),
            ExchangeKind::Direct => binding.key.as_str() == routing_key,
            ExchangeKind::Fanout => true,
        };
        let from_here = || topology.bindings.iter().filter(|binding| binding.exchange == *exchange);
        from_here().find(takes)?;
        let bindings: Vec<_> = from_here().cloned().collect();
        let leads_to = |name: &Destination| bindings.iter().any(|binding| binding.destination == *name);
        Some(Topology {
            exchanges: topology
                .exchanges
                .iter()
                .filter(|other| {
                    other.name == *exchange || leads_to(&Destination::Exchange(other.name.clone()))
                })
                .cloned()
                .collect(),
            queues: topology
                .queues
                .iter()
                .filter(|queue| leads_to(&Destination::Queue(queue.name.clone())))
                .cloned()
                .collect(),
            bindings,
        })
    }

    /// What a consumer of this queue needs: the queue, its bindings and their exchanges.
    pub(super) fn around(&self, queue: &QueueName) -> Topology {
        let topology = self.lock();
        let bindings: Vec<_> = topology
            .bindings
            .iter()
            .filter(|binding| binding.destination == Destination::Queue(queue.clone()))
            .cloned()
            .collect();
        let bound = |exchange: &&Exchange| bindings.iter().any(|binding| binding.exchange == exchange.name);
        Topology {
            exchanges: topology.exchanges.iter().filter(bound).cloned().collect(),
            queues: topology.queues.iter().filter(|known| known.name == *queue).cloned().collect(),
            bindings,
        }
    }
}

async fn declare_what_can_be(live: &Live, topology: Topology) -> Result<(), Error> {
    if declare(live, &topology).await.is_ok() {
        return Ok(());
    }
    for part in parts(topology) {
        match declare(live, &part).await {
            Ok(()) => {}
            Err(error) if live.stands() => {
                tracing::error!(code = error.kind().code(), %error, help = error.help(), "cannot declare anew");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Every exchange, queue and binding for itself.
pub(super) fn parts(topology: Topology) -> impl Iterator<Item = Topology> {
    let Topology { exchanges, queues, bindings } = topology;
    let exchanges = exchanges.into_iter().map(|one| Topology { exchanges: vec![one], ..Topology::default() });
    let queues = queues.into_iter().map(|one| Topology { queues: vec![one], ..Topology::default() });
    let bindings = bindings.into_iter().map(|one| Topology { bindings: vec![one], ..Topology::default() });
    exchanges.chain(queues).chain(bindings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::binding_key::BindingKey;
    use crate::topology::{Queue, QueueType};

    fn declared() -> Declared {
        let exchange = ExchangeName::new("audit").unwrap();
        let queue = |name: &str| Queue::durable(QueueName::new(name).unwrap(), QueueType::Quorum);
        let binding = |key: &str, queue: &str| Binding {
            exchange: exchange.clone(),
            destination: Destination::Queue(QueueName::new(queue).unwrap()),
            key: BindingKey::parse(key).unwrap(),
        };
        let declared = Declared::default();
        declared.remember(&Topology {
            exchanges: vec![Exchange::topic(exchange.clone())],
            queues: vec![queue("wiki"), queue("mail"), queue("wiki.dead")],
            bindings: vec![binding("wiki.#", "wiki"), binding("mail.*", "mail")],
        });
        declared
    }

    #[test]
    fn the_way_of_a_message() {
        let declared = declared();
        let way = |exchange: &str, key: &str| {
            let way = declared.way_of(&ExchangeName::new(exchange).unwrap(), key)?;
            Some((way.exchanges.len(), way.queues.len(), way.bindings.len()))
        };
        assert_eq!(way("audit", "wiki.saved"), Some((1, 2, 2)), "all that hangs on the exchange");
        assert_eq!(way("audit", "other"), None);
        assert_eq!(way("react", "wiki.saved"), None);
        assert_eq!(way("", "wiki.dead"), Some((0, 1, 0)));
        assert_eq!(way("", "wiki.deaf"), None);
        for queue in ["wiki", "wiki.dead"] {
            declared.looked_after(&QueueName::new(queue).unwrap());
        }
        assert_eq!(way("audit", "wiki.saved"), Some((1, 1, 2)));
        assert_eq!(way("", "wiki.dead"), None, "its consumer looks after it");
    }
}
