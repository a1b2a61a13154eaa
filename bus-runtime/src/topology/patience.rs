//! How long a message may stay unacknowledged, against how long the broker lets it. Pure.

use std::time::Duration;

use super::handler::HandlerEntry;
use super::plan::QueueEntry;
use crate::error::{Error, ErrorKind};
use crate::policy::AckMode;

/// What a queue's settings mean for the broker's patience.
#[derive(Debug)]
pub(crate) enum Patience {
    /// Every message is acknowledged in time.
    Enough,
    /// One that waits behind others may be taken back.
    Strained(String),
    /// One that is handled for as long as it may be is taken back.
    Exceeded(Box<Error>),
}

/// How long the handlers of one message may take; `None` is for ever. Those of one priority run side by side.
fn handling(queue: &QueueEntry) -> Option<Duration> {
    let tiers = queue.members.chunk_by(|one, other| one.priority == other.priority);
    tiers.map(|tier| tier.iter().map(|entry| entry.timeout).try_fold(Duration::ZERO, longer)).sum()
}

fn longer(longest: Duration, timeout: Option<Duration>) -> Option<Duration> {
    timeout.map(|timeout| timeout.max(longest))
}

/// Whether messages of a queue are acknowledged within the limit: the last of those that are fetched ahead waits for all before
/// it, `prefetch / concurrency` handlings long, and the first of a batch for those that fill it.
pub(crate) fn patience(queue: &QueueEntry, limit: Duration) -> Patience {
    let Some(first) = queue.members.first().filter(|_| queue.ack != AckMode::OnReceive) else {
        return Patience::Enough;
    };
    let Some(handling) = handling(queue) else {
        return Patience::Strained(format!(
            "{} has no timeout: RabbitMQ takes a message back that is not acknowledged within {limit:?}, and delivers it again",
            first.name
        ));
    };
    let (size, filling) = queue.batch.map_or((1, Duration::ZERO), |batch| (batch.size, batch.wait));
    let at_once = u32::from(queue.concurrency).max(1) * u32::from(size).max(1);
    let rounds = u32::from(queue.prefetch).div_ceil(at_once);
    let waiting = handling.saturating_mul(rounds).saturating_add(filling);
    let alone = handling.saturating_add(filling);
    if alone > limit {
        Patience::Exceeded(Box::new(exceeded(first, queue, alone, limit)))
    } else if waiting > limit {
        Patience::Strained(format!(
            "{} may keep a message for {waiting:?} (timeout {handling:?}, prefetch {}, concurrency {}{}): RabbitMQ takes it back after \
             {limit:?}, and delivers it again; lower the prefetch or the timeout",
            first.name,
            queue.prefetch,
            queue.concurrency,
            in_batches(queue)
        ))
    } else {
        Patience::Enough
    }
}

/// What a batch adds to the story.
fn in_batches(queue: &QueueEntry) -> String {
    let batch = queue.batch.map(|batch| format!(", batches of {} that wait {:?}", batch.size, batch.wait));
    batch.unwrap_or_default()
}

fn exceeded(entry: &HandlerEntry, queue: &QueueEntry, alone: Duration, limit: Duration) -> Error {
    let (name, filling) = (&entry.name, queue.batch.map(|batch| batch.wait));
    let (of_which, lower) = match filling {
        None => (String::new(), "its timeout"),
        Some(wait) => (format!(", {wait:?} of it for a batch to fill"), "its timeout or the batch's `wait`"),
    };
    Error::new(
        ErrorKind::Config,
        format!("{name} may take {alone:?}{of_which}, and RabbitMQ takes a message back that is not acknowledged within {limit:?}"),
    )
    .with_place(entry.place, "this handler")
    .with_help(format!("lower {lower}; or raise consumer_timeout on the broker, and say so with BUS_ACK_TIMEOUT (0 is no limit)"))
}

#[cfg(test)]
mod tests;
