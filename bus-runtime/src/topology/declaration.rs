//! From handlers to what is declared for them on a broker. Pure.

use super::handler::HandlerEntry;
use super::plan::{DEAD_DELIVERY_LIMIT, DELIVERY_LIMIT, PlanSettings, Planned, QueueEntry};
use super::{
    Binding, DeadLetterStrategy, Destination, Exchange, Overflow, Queue, QueueType, Topology, delay,
};
use crate::error::Error;
use crate::names::ExchangeName;
use crate::policy::WhenFull;
use crate::registration::HandlerOptions;

/// How the queue of a handler with these options is declared.
pub(super) fn declaration(entry: &HandlerEntry, options: &HandlerOptions) -> Queue {
    if options.has_foreign_queue() {
        // Others declare it, as they like.
        return Queue::durable(entry.queue.clone(), QueueType::default());
    }
    let classic_only =
        options.max_priority.is_some() || options.exclusive == Some(true) || options.fanout_each;
    let queue_type =
        options.queue_type.unwrap_or(if classic_only { QueueType::Classic } else { QueueType::Quorum });
    let mut queue = Queue::durable(entry.queue.clone(), queue_type);
    queue.exclusive = options.exclusive == Some(true) || options.fanout_each;
    let overflow = match options.overflow.unwrap_or_default() {
        WhenFull::DropOldest => Overflow::DropHead,
        // Waiting and slowing down are the publishers' business.
        WhenFull::RejectNew | WhenFull::Block | WhenFull::Adaptive => Overflow::RejectPublish,
    };
    let arguments = &mut queue.arguments;
    arguments.max_length = options.max_length;
    arguments.message_ttl = options.ttl;
    arguments.max_priority = options.max_priority;
    arguments.single_active_consumer = options.single_active == Some(true);
    arguments.dead_letter_exchange = Some(ExchangeName::default_exchange());
    arguments.dead_letter_routing_key = Some(entry.dead.to_string());
    match queue_type {
        QueueType::Quorum => {
            // At-least-once dead-lettering works with reject-publish only; drop-head is the user's choice against it.
            arguments.delivery_limit = Some(DELIVERY_LIMIT);
            arguments.overflow = Some(overflow);
            arguments.dead_letter_strategy = Some(match overflow {
                Overflow::RejectPublish => DeadLetterStrategy::AtLeastOnce,
                Overflow::DropHead => DeadLetterStrategy::AtMostOnce,
            });
        }
        QueueType::Classic => arguments.overflow = options.max_length.map(|_| overflow),
    }
    queue
}

/// Everything that has to be declared: exchanges, queues with their `.dead`, bindings and the delay queues of all policies.
pub(super) fn topology<'q>(
    handlers: &[Planned],
    queues: impl Iterator<Item = &'q QueueEntry>,
    settings: &PlanSettings,
) -> Result<Topology, Error> {
    let mut topology = Topology::default();
    let mut names = vec![
        settings.exchange(&settings.audit)?,
        settings.exchange(&settings.react)?,
        settings.exchange(&settings.messages)?,
    ];
    let ours = handlers.iter().filter(|planned| planned.options.exchange.is_none());
    names.extend(ours.map(|planned| planned.entry.exchange.clone()));
    for name in names {
        let exchange = Exchange::topic(name);
        if !topology.exchanges.contains(&exchange) {
            topology.exchanges.push(exchange);
        }
    }
    for queue in queues {
        let mut dead = Queue::durable(queue.dead.clone(), QueueType::Quorum);
        dead.arguments.delivery_limit = Some(DEAD_DELIVERY_LIMIT);
        // Whoever limits its length by a policy must not lose the oldest letters by it.
        dead.arguments.overflow = Some(Overflow::RejectPublish);
        topology.queues.push(dead);
        if !queue.foreign {
            topology.queues.push(queue.declaration.clone());
        }
    }
    let bound = handlers.iter().filter(|planned| !planned.options.has_foreign_queue());
    let bindings = bound.flat_map(|planned| {
        planned.entry.keys.iter().map(|key| Binding {
            exchange: planned.entry.exchange.clone(),
            destination: Destination::Queue(planned.entry.queue.clone()),
            key: key.key.clone(),
        })
    });
    topology.merge(Topology { bindings: bindings.collect(), ..Topology::default() });
    if handlers.is_empty() {
        return Ok(topology);
    }
    topology.merge(delay::due(&settings.prefix)?);
    let mut delays: Vec<_> = handlers.iter().flat_map(|planned| planned.entry.retry.delays()).collect();
    delays.sort_unstable();
    delays.dedup();
    for time in delays.into_iter().filter(|time| !time.is_zero()) {
        topology.merge(delay::constant(&settings.prefix, time)?);
    }
    Ok(topology)
}
