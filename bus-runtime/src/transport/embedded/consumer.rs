//! Who consumes: what the broker knows about each consumer, and how one comes and goes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use tokio::time::Instant;

use super::queue::{ConnectionId, HeldId, Holder, Queue, QueueId, Return};
use super::slots::Key;
use super::state::State;
use super::timer::Due;
use super::{delete::Will, errors};
use crate::envelope::Envelope;
use crate::error::Error;
use crate::names::QueueName;
use crate::seam;
use crate::transport::ConsumeOptions;

/// Finds a [`ConsumerState`].
pub(super) type ConsumerId = Key;

/// How long a consumer whose queue was deleted waits for somebody to declare the queue anew, before it does so itself: who
/// deletes a queue to change its arguments comes first.
pub(super) const REVIVAL_AFTER: Duration = Duration::from_millis(500);

/// A message on its way into a consumer's hands.
#[derive(Debug)]
pub(super) struct Delivered {
    pub(super) queue: QueueId,
    pub(super) tag: HeldId,
    pub(super) envelope: Arc<Envelope>,
    pub(super) redelivered: bool,
    pub(super) delivery_count: Option<u32>,
}

#[derive(Debug)]
pub(super) struct ConsumerState {
    pub(super) queue_name: QueueName,
    pub(super) connection: ConnectionId,
    prefetch: u32,
    /// The queue, while it exists.
    pub(super) queue: Option<QueueId>,
    /// Whether it takes part in the queue's round.
    pub(super) attached: bool,
    /// How many messages of the queue it has.
    pub(super) held: u32,
    /// What it has and did not look at yet; the prefetch or the broker's limits bound it.
    pub(super) buffer: VecDeque<Delivered>,
    /// What it has to be told.
    error: Option<Error>,
    /// What it needs to bring its deleted queue back, and when it does.
    revival: Option<(Instant, Arc<Will>)>,
    cancelled: bool,
    pub(super) waker: Option<Waker>,
}

impl ConsumerState {
    fn new(queue_name: QueueName, connection: ConnectionId, options: &ConsumeOptions) -> Self {
        Self {
            queue_name,
            connection,
            prefetch: if options.prefetch == 0 { u32::MAX } else { options.prefetch.into() },
            queue: None,
            attached: false,
            held: 0,
            buffer: VecDeque::new(),
            error: None,
            revival: None,
            cancelled: false,
            waker: None,
        }
    }

    pub(super) fn has_room(&self) -> bool {
        self.held < self.prefetch
    }

    #[cfg(test)]
    pub(super) fn revives_at(&self) -> Option<Instant> {
        self.revival.as_ref().map(|(at, _)| *at)
    }
}

/// What a consumer finds when it looks for the next message.
#[derive(Debug)]
pub(super) enum Next {
    Message(Delivered),
    Failed(Error),
    Nothing,
    End,
}

impl State {
    pub(super) fn subscribe(
        &mut self,
        name: &QueueName,
        connection: ConnectionId,
        options: &ConsumeOptions,
    ) -> Result<ConsumerId, Error> {
        let queue = self.find_queue(name, connection)?;
        let id = self.consumers.insert(ConsumerState::new(name.clone(), connection, options));
        self.attach(id, queue);
        Ok(id)
    }

    fn attach(&mut self, id: ConsumerId, to: QueueId) {
        let (Some(consumer), Some(queue)) = (self.consumers.get_mut(id), self.queues.get_mut(to)) else {
            return;
        };
        consumer.queue = Some(to);
        consumer.attached = true;
        consumer.held = 0;
        queue.consumers.push(id);
        queue.roomy += 1;
        self.hand_out(to);
    }

    /// The next message for a consumer, or its place in the queue of those who will be woken. The second value is the waker
    /// that was replaced, to be dropped without the lock.
    pub(super) fn next_for(&mut self, id: ConsumerId, waker: &Waker) -> (Next, Option<Waker>) {
        let Some(consumer) = self.consumers.get_mut(id) else { return (Next::End, None) };
        if let Some(delivered) = consumer.buffer.pop_front() {
            return (Next::Message(delivered), None);
        }
        if let Some(error) = consumer.error.take() {
            return (Next::Failed(error), None);
        }
        if consumer.cancelled {
            return (Next::End, None);
        }
        if consumer.waker.as_ref().is_some_and(|known| known.will_wake(waker)) {
            return (Next::Nothing, None);
        }
        (Next::Nothing, consumer.waker.replace(waker.clone()))
    }

    /// Gives a consumer no more messages; what it has it keeps.
    pub(super) fn cancel(&mut self, id: ConsumerId) {
        if let Some(queue) = self.detach(id) {
            // With a single active consumer it is the next one's turn.
            self.hand_out(queue);
            self.delete_if_abandoned(queue);
        }
        let Some(consumer) = self.consumers.get_mut(id) else { return };
        consumer.cancelled = true;
        consumer.waker.take().into_iter().for_each(|waker| self.effects.wake.push(waker));
    }

    /// Ends a consumer and puts back what it had not settled. What is left of it is to be dropped without the lock.
    pub(super) fn close_consumer(&mut self, id: ConsumerId) -> Option<ConsumerState> {
        let detached = self.detach(id);
        if let Some(queue) = detached {
            self.pass_on(queue);
        }
        if let Some(queue) = self.consumers.get(id)?.queue {
            self.take_back_from(queue, Holder::Consumer(id));
        }
        if let Some(queue) = detached {
            self.delete_if_abandoned(queue);
        }
        let mut consumer = self.consumers.remove(id)?;
        consumer.waker.take().into_iter().for_each(|waker| self.effects.wake.push(waker));
        Some(consumer)
    }

    /// A quorum queue makes the next one its single active consumer before it takes back what the last one had.
    fn pass_on(&mut self, id: QueueId) {
        let single = |queue: &Queue| queue.is_quorum() && queue.declared.arguments.single_active_consumer;
        if self.queues.get(id).is_some_and(single) {
            self.hand_out(id);
        }
    }

    /// Puts back all that somebody has of a queue, in the order in which it was handed out.
    pub(super) fn take_back_from(&mut self, id: QueueId, holder: Holder) {
        let Some(queue) = self.queues.get_mut(id) else { return };
        let mut held = queue.held.take_if(|held| held.holder == holder);
        held.sort_by_key(|held| held.turn);
        if matches!(holder, Holder::Consumer(_)) {
            queue.in_flight -= held.len();
        }
        self.take_back(id, held.into_iter().map(|held| held.entry), Return::Abandoned);
    }

    /// Takes a consumer out of its queue's round, or out of those who wait for their queue.
    fn detach(&mut self, id: ConsumerId) -> Option<QueueId> {
        let consumer = self.consumers.get_mut(id)?;
        if let Some((at, _)) = consumer.revival.take() {
            self.orphans -= 1;
            self.timers.remove(&(at, Due::Revival(id)));
        }
        if !std::mem::take(&mut consumer.attached) {
            return None;
        }
        let (queue, had_room) = (consumer.queue?, consumer.has_room());
        self.queues.get_mut(queue)?.leave(id, had_room);
        Some(queue)
    }

    fn delete_if_abandoned(&mut self, id: QueueId) {
        let abandoned = |queue: &Queue| queue.declared.auto_delete && queue.consumers.is_empty();
        if self.queues.get(id).is_some_and(abandoned) {
            self.remove_queue(id);
        } else {
            self.refresh(id);
        }
    }

    /// Tells a consumer that its queue is gone. It comes back with the queue.
    pub(super) fn orphan(&mut self, id: ConsumerId, will: &Arc<Will>) {
        let Some(consumer) = self.consumers.get_mut(id) else { return };
        let at = seam::now() + REVIVAL_AFTER;
        consumer.queue = None;
        consumer.attached = false;
        consumer.held = 0;
        consumer.error = Some(errors::queue_deleted(&consumer.queue_name));
        consumer.revival = Some((at, Arc::clone(will)));
        self.orphans += 1;
        self.timers.insert((at, Due::Revival(id)));
        consumer.buffer.drain(..).for_each(|delivered| self.effects.drop.push(delivered.envelope));
        consumer.waker.take().into_iter().for_each(|waker| self.effects.wake.push(waker));
    }

    /// Declares the queue of a consumer as it was when it was deleted.
    pub(super) fn revive(&mut self, id: ConsumerId) {
        let Some(consumer) = self.consumers.get(id) else { return };
        if let Some((_, will)) = &consumer.revival {
            let will = Arc::clone(will);
            self.execute(&will);
        }
    }

    /// Gives a queue that was declared anew to the consumers that wait for it, in the order in which they came.
    pub(super) fn adopt_orphans(&mut self, name: &QueueName, queue: QueueId) {
        if self.orphans == 0 {
            return;
        }
        let waits = |consumer: &ConsumerState| consumer.revival.is_some() && consumer.queue_name == *name;
        let orphans = self.consumers.iter().filter(|(_, consumer)| waits(consumer));
        let mut orphans: Vec<ConsumerId> = orphans.map(|(id, _)| id).collect();
        orphans.sort_unstable();
        for id in orphans {
            self.detach(id);
            self.attach(id, queue);
        }
    }
}
