//! What people and tests can see of the broker without touching anything.

use std::sync::Arc;

use super::queue::{ConnectionId, Queue};
use super::shared::Shared;
use super::state::State;
use crate::envelope::Envelope;
use crate::error::Error;
use crate::names::QueueName;
use crate::seam;
use crate::transport::QueueState;

/// A queue of the [`EmbeddedBroker`](crate::EmbeddedBroker) at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueSnapshot {
    /// Its name.
    pub name: QueueName,
    /// Messages that wait for a consumer, or for their time to expire.
    pub ready: u64,
    /// Messages that were handed out and are not settled.
    pub unacknowledged: u64,
    /// Dead letters that no other queue takes: with `x-dead-letter-strategy = at-least-once` they stay here until one does.
    pub stuck: u64,
    /// Its consumers.
    pub consumers: u32,
}

/// What the [`EmbeddedBroker`](crate::EmbeddedBroker) has done since it was created. A message counts once for every queue
/// that it came into.
///
/// `enqueued` is the sum of the others and of all messages that are still there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Messages that came into a queue, dead letters included.
    pub enqueued: u64,
    /// Messages that were acknowledged.
    pub acked: u64,
    /// Messages that left for a dead-letter exchange and arrived in a queue.
    pub dead_lettered: u64,
    /// Messages that were to be dead-lettered, and no queue took them.
    pub dropped: u64,
    /// Messages that went with their queue, or were purged.
    pub deleted: u64,
}

impl Shared {
    pub(super) fn queues(self: &Arc<Self>) -> Vec<QueueSnapshot> {
        let mut queues = self.with(|state| {
            state.run_due();
            state.queue_snapshots()
        });
        queues.sort_by(|one, other| one.name.cmp(&other.name));
        queues
    }

    pub(super) fn peek(self: &Arc<Self>, queue: &QueueName) -> Vec<Arc<Envelope>> {
        self.with(|state| {
            state.run_due();
            let queue = state.queue_ids.get(queue).and_then(|id| state.queues.get(*id));
            queue.map_or_else(Vec::new, |queue| {
                queue.ready.iter().map(|entry| Arc::clone(&entry.envelope)).collect()
            })
        })
    }

    /// Whether nothing is busy, after what is due now was done.
    pub(super) fn is_quiet(self: &Arc<Self>) -> bool {
        self.with(|state| {
            state.run_due();
            state.busy == 0
        })
    }

    pub(super) async fn settled(self: &Arc<Self>) {
        loop {
            let quiet = self.quiet.notified();
            tokio::pin!(quiet);
            // From here on no notification is missed.
            quiet.as_mut().enable();
            if self.is_quiet() {
                return;
            }
            quiet.await;
        }
    }
}

impl State {
    /// Looks at a queue. This renews its lease, as in RabbitMQ: who looks at a queue is using it.
    pub(super) fn inspect(
        &mut self,
        name: &QueueName,
        connection: ConnectionId,
    ) -> Result<Option<QueueState>, Error> {
        let id = self.find_queue(name, connection)?;
        let Some(queue) = self.queues.get_mut(id) else { return Ok(None) };
        queue.unused_since = seam::now();
        let found = QueueState { ready: queue.ready.len() as u64, consumers: count(queue) };
        self.refresh(id);
        Ok(Some(found))
    }

    fn queue_snapshots(&self) -> Vec<QueueSnapshot> {
        let snapshot = |queue: &Queue| QueueSnapshot {
            name: queue.declared.name.clone(),
            ready: queue.ready.len() as u64,
            unacknowledged: queue.held.len() as u64,
            stuck: queue.stuck.len() as u64,
            consumers: count(queue),
        };
        self.queues.iter().map(|(_, queue)| snapshot(queue)).collect()
    }
}

fn count(queue: &Queue) -> u32 {
    u32::try_from(queue.consumers.len()).unwrap_or(u32::MAX)
}
