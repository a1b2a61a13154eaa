//! The queues in which messages wait: one per constant delay, and a binary ladder for delays chosen at run time.
//!
//! RabbitMQ expires messages at the head of a queue only, so a queue holds messages of one delay only. A constant delay has its
//! own queue. A delay chosen at run time climbs down a ladder, as NServiceBus and kombu do it: level `n` holds a message for
//! 2^n seconds or, when that bit of the delay is 0, passes it on at once; the routing key holds the bits. Below level 0 the
//! message reaches the queue `bus.due`, and a worker publishes it to where it was meant to go.

use std::time::Duration;

use super::{
    Binding, DeadLetterStrategy, Destination, Exchange, ExchangeKind, Overflow, Queue, QueueArguments,
    QueueType, Topology, naming,
};
use crate::binding_key::BindingKey;
use crate::error::{Error, ErrorKind};
use crate::names::{ExchangeName, QueueName, RoutingKey};

/// Levels of the ladder: 2^28 s, about 8.5 years.
pub const LEVELS: u32 = 28;

/// The exchange and the queue that hold messages for a constant delay. A message is published to the exchange with the name
/// of the target queue as its routing key, waits, and falls through the default exchange into that queue.
pub(crate) fn constant(prefix: &str, delay: Duration) -> Result<Topology, Error> {
    let name = naming::delay(prefix, delay);
    let exchange = fanout(&name)?;
    let queue = waiting(&name, delay, ExchangeName::default_exchange())?;
    let binding = Binding {
        exchange: exchange.name.clone(),
        destination: Destination::Queue(queue.name.clone()),
        key: key("#")?,
    };
    Ok(Topology { exchanges: vec![exchange], queues: vec![queue], bindings: vec![binding] })
}

/// The queue that the ladder ends in.
pub(crate) fn due(prefix: &str) -> Result<Topology, Error> {
    let mut queue = Queue::durable(QueueName::new(naming::due(prefix))?, QueueType::Quorum);
    queue.arguments.delivery_limit = Some(super::plan::DEAD_DELIVERY_LIMIT);
    Ok(Topology { queues: vec![queue], ..Topology::default() })
}

/// The levels of the ladder that a delay needs, from its highest bit to the bottom.
pub(crate) fn ladder(prefix: &str, seconds: u64) -> Result<Topology, Error> {
    let mut topology = due(prefix)?;
    for level in 0..levels(seconds) {
        topology.merge(rung(prefix, level)?);
    }
    Ok(topology)
}

/// Where a message that must wait `seconds` enters the ladder: the exchange, and the bits of the delay as routing key.
pub(crate) fn entry(prefix: &str, seconds: u64) -> Result<(ExchangeName, RoutingKey), Error> {
    let levels = levels(seconds);
    let bits: Vec<&str> =
        (0..levels).rev().map(|level| if seconds >> level & 1 == 1 { "1" } else { "0" }).collect();
    let exchange = naming::exchange(&naming::ladder(prefix, levels.saturating_sub(1)))?;
    Ok((exchange, RoutingKey::new(bits.join("."))?))
}

/// How many levels a delay needs; at least one.
fn levels(seconds: u64) -> u32 {
    (u64::BITS - seconds.leading_zeros()).clamp(1, LEVELS)
}

/// One level: its exchange sends a `1` into the waiting queue and a `0` on to the level below. A message that has waited
/// is dead-lettered to the level below as well.
fn rung(prefix: &str, level: u32) -> Result<Topology, Error> {
    let name = naming::ladder(prefix, level);
    let exchange = Exchange::topic(naming::exchange(&name)?);
    let below = match level {
        0 => Destination::Queue(QueueName::new(naming::due(prefix))?),
        _ => Destination::Exchange(naming::exchange(&naming::ladder(prefix, level - 1))?),
    };
    // The bit of a level is the word at its distance from the top; messages enter at any level, so the bits are counted from
    // the end: `level` more words follow.
    let behind = ".*".repeat(level as usize);
    let bottom = fanout(&format!("{name}.out"))?;
    let queue = waiting(&name, Duration::from_secs(1 << level), bottom.name.clone())?;
    let bindings = vec![
        bind(&exchange.name, Destination::Queue(queue.name.clone()), &format!("#.1{behind}"))?,
        bind(&exchange.name, below.clone(), &format!("#.0{behind}"))?,
        bind(&bottom.name, below, "#")?,
    ];
    Ok(Topology { exchanges: vec![exchange, bottom], queues: vec![queue], bindings })
}

fn fanout(name: &str) -> Result<Exchange, Error> {
    let name = naming::exchange(name)?;
    Ok(Exchange { name, kind: ExchangeKind::Fanout, durable: true, auto_delete: false })
}

/// A queue that nobody consumes: its messages leave when they expire.
fn waiting(name: &str, delay: Duration, then: ExchangeName) -> Result<Queue, Error> {
    let mut queue = Queue::durable(QueueName::new(name)?, QueueType::Quorum);
    queue.arguments = QueueArguments {
        queue_type: QueueType::Quorum,
        message_ttl: Some(delay),
        dead_letter_exchange: Some(then),
        dead_letter_strategy: Some(DeadLetterStrategy::AtLeastOnce),
        overflow: Some(Overflow::RejectPublish),
        ..QueueArguments::default()
    };
    Ok(queue)
}

fn bind(exchange: &ExchangeName, destination: Destination, text: &str) -> Result<Binding, Error> {
    Ok(Binding { exchange: exchange.clone(), destination, key: key(text)? })
}

fn key(text: &str) -> Result<BindingKey, Error> {
    BindingKey::parse(text).map_err(|error| Error::new(ErrorKind::InvalidName, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_enters_the_ladder_at_its_highest_bit() {
        let table = [(1, "bus.ladder.00", "1"), (2, "bus.ladder.01", "1.0"), (5, "bus.ladder.02", "1.0.1")];
        for (seconds, exchange, key) in table {
            let (at, bits) = entry("", seconds).unwrap();
            assert_eq!((at.as_str(), bits.as_str()), (exchange, key), "{seconds} s");
        }
    }

    #[test]
    fn a_level_reads_its_own_bit_only() {
        let rung = rung("", 1).unwrap();
        let wait = &rung.bindings[0].key;
        let pass = &rung.bindings[1].key;
        assert!(wait.matches("1.0") && wait.matches("0.1.1") && !wait.matches("1.0.1"));
        assert!(pass.matches("0.1") && pass.matches("1.0.1") && !pass.matches("1.0"));
    }

    #[test]
    fn a_ladder_has_only_the_levels_that_are_needed() {
        let names = |seconds| {
            ladder("", seconds).unwrap().queues.iter().map(|q| q.name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(1), ["bus.due", "bus.ladder.00"]);
        assert_eq!(names(4), ["bus.due", "bus.ladder.00", "bus.ladder.01", "bus.ladder.02"]);
    }
}
