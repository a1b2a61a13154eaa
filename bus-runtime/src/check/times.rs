//! Times that the broker does not allow: messages that are held for longer than its acknowledgement timeout.

use std::time::Duration;

use super::Finding;
use crate::policy::AckMode;
use crate::topology::patience::{Patience, patience};
use crate::topology::{HandlerEntry, Plan, QueueEntry};

/// Handlers that may hold a message for longer than the broker waits for its acknowledgement.
pub(crate) fn held(plan: &Plan, ack_timeout: Duration) -> Vec<Finding> {
    plan.queues.iter().filter_map(|queue| waits(queue, ack_timeout)).collect()
}

fn waits(queue: &QueueEntry, ack_timeout: Duration) -> Option<Finding> {
    match patience(queue, ack_timeout) {
        Patience::Enough => None,
        Patience::Strained(text) => {
            let first = queue.members.first()?;
            let help = "shorten `timeout`, lower `prefetch`, or raise the broker's consumer_timeout and tell it with BUS_ACK_TIMEOUT";
            Some(Finding::warning("BUS0307", text, help).at(first.place, first.name.clone()))
        }
        Patience::Exceeded(error) => Some(Finding::from(&*error)),
    }
}

/// Handlers whose retries wait in the process for longer than that.
pub(crate) fn resting(plan: &Plan, ack_timeout: Duration) -> Vec<Finding> {
    let queues = plan.queues.iter().filter(|queue| queue.ack != AckMode::OnReceive);
    queues.filter_map(|queue| retries(queue, ack_timeout)).collect()
}

/// The retries of a queue that goes with its process wait in the process, with the message unacknowledged.
fn retries(queue: &QueueEntry, ack_timeout: Duration) -> Option<Finding> {
    if !queue.declaration.exclusive {
        return None;
    }
    let (slowest, timeout) = slowest(queue)?;
    let retry = &slowest.retry;
    // One attempt and the pause behind it are one holding of the message: each copy is a new message.
    let longest = retry.max_delay.mul_f64(1.0 + retry.jitter).saturating_add(timeout);
    if retry.max == 0 || longest <= ack_timeout {
        return None;
    }
    let text = format!(
        "a retry of {} waits in the process, with its message unacknowledged for {longest:?}; the broker waits {ack_timeout:?}",
        slowest.name
    );
    let help = "shorten `max_delay`, or raise the broker's consumer_timeout and tell it with BUS_ACK_TIMEOUT";
    Some(Finding::warning("BUS0308", text, help).at(slowest.place, slowest.name.clone()))
}

/// The handler of a queue that may take longest. One that says `timeout = "none"` knows what it does.
fn slowest(queue: &QueueEntry) -> Option<(&HandlerEntry, Duration)> {
    let timed = queue.members.iter().filter_map(|entry| Some((&**entry, entry.timeout?)));
    timed.max_by_key(|(_, timeout)| *timeout)
}
