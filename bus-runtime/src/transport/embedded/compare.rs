//! Looking at what is declared, without touching it.

use super::declare::{exchange_differences, queue_differences};
use super::errors;
use super::exchange::Source;
use super::queue::ConnectionId;
use super::state::State;
use crate::error::Error;
use crate::topology::diff::Difference;
use crate::topology::{self, BindingDefinition, DestinationType};

impl State {
    pub(super) fn compare_exchange(&self, wanted: &topology::Exchange) -> Option<Vec<Difference>> {
        let exchange = self.exchange_ids.get(&wanted.name).and_then(|id| self.exchanges.get(*id))?;
        Some(exchange_differences(&exchange.declared, wanted))
    }

    pub(super) fn compare_queue(
        &self,
        wanted: &topology::Queue,
        connection: ConnectionId,
    ) -> Result<Option<Vec<Difference>>, Error> {
        if !self.queue_ids.contains_key(&wanted.name) {
            return Ok(None);
        }
        let id = self.find_queue(&wanted.name, connection)?;
        let Some(queue) = self.queues.get(id) else { return Ok(None) };
        if queue.declared.exclusive != wanted.exclusive {
            return Err(errors::locked(&wanted.name));
        }
        Ok(Some(queue_differences(&queue.declared, wanted)))
    }

    /// Every binding, by its destination.
    pub(super) fn bindings(&self) -> Vec<BindingDefinition> {
        let of_queues = self.queues.iter().flat_map(|(_, queue)| {
            let to = (queue.declared.name.as_str(), DestinationType::Queue);
            queue.sources.iter().filter_map(move |source| self.binding(source, to))
        });
        let of_exchanges = self.exchanges.iter().flat_map(|(_, exchange)| {
            let to = (exchange.declared.name.as_str(), DestinationType::Exchange);
            exchange.sources.iter().filter_map(move |source| self.binding(source, to))
        });
        of_queues.chain(of_exchanges).collect()
    }

    fn binding(
        &self,
        source: &Source,
        (destination, destination_type): (&str, DestinationType),
    ) -> Option<BindingDefinition> {
        Some(BindingDefinition {
            source: self.exchanges.get(source.exchange)?.declared.name.to_string(),
            destination: destination.to_owned(),
            destination_type,
            routing_key: source.key.to_string(),
            arguments: topology::Arguments::new(),
        })
    }
}
