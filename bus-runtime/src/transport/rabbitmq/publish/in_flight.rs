//! What was written and is not confirmed yet, and which of it came back as unroutable.
//!
//! lapin attaches a returned message to whichever publish is confirmed next, which is another one when confirms come in
//! batches. So we look at the returned message itself: exchange, routing key and message id say which publish it was. Two
//! publishes that agree in all three are routed alike, so it does not matter which of them is taken; it is the older one.

use std::collections::{BTreeMap, VecDeque};

use lapin::message::BasicReturnMessage;

use super::Job;

/// The number of a publish on its channel, in the order of writing.
pub(super) type Sequence = u64;

#[derive(Debug, Default)]
pub(super) struct InFlight {
    next: Sequence,
    written: BTreeMap<Sequence, Written>,
}

#[derive(Debug)]
struct Written {
    job: Job,
    came_back: bool,
}

impl InFlight {
    /// The number that the next publish gets.
    pub(super) fn upcoming(&self) -> Sequence {
        self.next
    }

    pub(super) fn add(&mut self, mut job: Job) {
        job.was_written = true;
        self.written.insert(self.next, Written { job, came_back: false });
        self.next += 1;
    }

    /// The broker has answered: the publish, and whether its message came back.
    pub(super) fn remove(&mut self, sequence: Sequence) -> Option<(Job, bool)> {
        self.written.remove(&sequence).map(|written| (written.job, written.came_back))
    }

    pub(super) fn came_back(&mut self, returned: &BasicReturnMessage) {
        let id = returned.delivery.properties.message_id();
        let found = self.written.values_mut().find(|written| {
            let message = &written.job.message;
            !written.came_back
                && message.properties.message_id() == id
                && message.routing_key == returned.delivery.routing_key
                && message.exchange == returned.delivery.exchange
        });
        match found {
            Some(written) => written.came_back = true,
            None => {
                let exchange = returned.delivery.exchange.as_str();
                tracing::warn!(exchange, "RabbitMQ returned a message that is not under way");
            }
        }
    }

    pub(super) fn len(&self) -> usize {
        self.written.len()
    }

    /// All of it, oldest first: the channel has ended.
    pub(super) fn take(&mut self) -> VecDeque<Job> {
        std::mem::take(&mut self.written).into_values().map(|written| written.job).collect()
    }

    /// Oldest first.
    pub(super) fn jobs_mut(&mut self) -> impl Iterator<Item = &mut Job> {
        self.written.values_mut().map(|written| &mut written.job)
    }
}
