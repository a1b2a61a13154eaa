//! A queue: what it holds, who consumes it, and its own rules about both.

use std::sync::Arc;

use tokio::time::Instant;

use super::consumer::{ConsumerId, ConsumerState};
use super::dead_letter::{Stuck, Waiting};
use super::exchange::Source;
use super::ready::{Entry, Ready};
use super::slots::{Key, Slots};
use crate::envelope::Envelope;
use crate::seam;
use crate::topology::{self, DeadLetterStrategy, Overflow, QueueType};
use crate::transport::{QueueLevel, Water};

/// Finds a [`Queue`].
pub(super) type QueueId = Key;

/// Finds a message that a consumer has.
pub(super) type HeldId = Key;

/// The level of those messages of a quorum queue that have come back: it has no priorities of its own, and they leave first.
const RETURNED: u8 = 1;

/// Finds a connection; never used again.
pub(super) type ConnectionId = u64;

/// A message that was handed out and is not settled.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) entry: Entry,
    pub(super) holder: Holder,
    /// Its place among those that were handed out; smaller is earlier.
    pub(super) turn: u64,
}

/// How a message comes back that had been handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Return {
    /// Its holder has asked for it.
    Asked,
    /// Its holder has ended.
    Abandoned,
}

/// Who has an unsettled message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Consumer(ConsumerId),
    /// It was taken with `get` over this connection.
    Getter(ConnectionId),
}

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) declared: topology::Queue,
    /// The connection that an exclusive queue belongs to.
    pub(super) owner: Option<ConnectionId>,
    pub(super) ready: Ready,
    pub(super) held: Slots<Held>,
    /// Dead letters that no queue takes; with at-least-once they stay here.
    pub(super) stuck: Slots<Stuck>,
    pub(super) stuck_bytes: u64,
    /// Dead letters that wait for space in this queue, by the queue where they are stuck.
    pub(super) waiting: Waiting,
    /// The bindings that lead here.
    pub(super) sources: Vec<Source>,
    /// In the order in which they subscribed.
    pub(super) consumers: Vec<ConsumerId>,
    /// Whose turn it is.
    turn: usize,
    /// How many consumers can take one more message.
    pub(super) roomy: usize,
    /// How many messages consumers hold.
    pub(super) in_flight: usize,
    next_position: u64,
    /// Since when nobody has been using it, for `x-expires`.
    pub(super) unused_since: Instant,
    /// The time under which it is in the timers.
    pub(super) alarm: Option<Instant>,
    /// Whether it counts as busy.
    pub(super) busy: bool,
    /// Which of its marks it has passed last.
    pub(super) water: Water,
    /// The last walk that came by, so that a message arrives once.
    pub(super) walked: u64,
}

impl Queue {
    pub(super) fn new(declared: topology::Queue, owner: Option<ConnectionId>) -> Self {
        Self {
            ready: Ready::new(match declared.arguments.queue_type {
                QueueType::Quorum => RETURNED,
                QueueType::Classic => declared.arguments.max_priority.unwrap_or(0),
            }),
            declared,
            owner,
            held: Slots::default(),
            stuck: Slots::default(),
            stuck_bytes: 0,
            waiting: Waiting::new(),
            sources: Vec::new(),
            consumers: Vec::new(),
            turn: 0,
            roomy: 0,
            in_flight: 0,
            next_position: 0,
            unused_since: seam::now(),
            alarm: None,
            busy: false,
            water: Water::default(),
            walked: 0,
        }
    }

    pub(super) fn is_quorum(&self) -> bool {
        self.declared.arguments.queue_type == QueueType::Quorum
    }

    /// Whether dead letters stay until another queue has them. As in RabbitMQ this needs `reject-publish`: a queue that drops
    /// its head cannot keep it.
    pub(super) fn keeps_dead_letters(&self) -> bool {
        let arguments = &self.declared.arguments;
        arguments.dead_letter_strategy == Some(DeadLetterStrategy::AtLeastOnce)
            && arguments.overflow == Some(Overflow::RejectPublish)
            && arguments.dead_letter_exchange.is_some()
    }

    /// Whether a message of so many bytes is refused.
    pub(super) fn refuses(&self, bytes: u64) -> bool {
        let arguments = &self.declared.arguments;
        arguments.overflow == Some(Overflow::RejectPublish)
            && self.passes_limit(
                self.ready.len() + self.stuck.len() + 1,
                self.ready.bytes() + self.stuck_bytes + bytes,
            )
    }

    /// Takes the oldest message of a queue that has too many.
    pub(super) fn pop_surplus(&mut self) -> Option<Entry> {
        let drops = self.declared.arguments.overflow != Some(Overflow::RejectPublish)
            && self.passes_limit(self.ready.len(), self.ready.bytes());
        if drops { self.ready.pop() } else { None }
    }

    fn passes_limit(&self, messages: usize, bytes: u64) -> bool {
        let arguments = &self.declared.arguments;
        arguments.max_length.is_some_and(|max| messages as u64 > max)
            || arguments.max_length_bytes.is_some_and(|max| bytes > max)
    }

    /// Makes a message one of this queue: its place, its time, its priority.
    pub(super) fn admit(&mut self, envelope: Arc<Envelope>) -> Entry {
        let ttl = match (self.declared.arguments.message_ttl, envelope.properties.expiration) {
            (Some(queue), Some(message)) => Some(queue.min(message)),
            (queue, message) => queue.or(message),
        };
        let expires = ttl.and_then(|ttl| seam::now().checked_add(ttl));
        let most = self.declared.arguments.max_priority.unwrap_or(0);
        let priority = envelope.properties.priority.unwrap_or(0).min(most);
        Entry {
            envelope,
            position: self.place(),
            expires,
            returns: 0,
            priority,
            redelivered: false,
            shown: false,
        }
    }

    /// Puts a message back that had been handed out: a classic queue where it was.
    ///
    /// A quorum queue of RabbitMQ 3.10 puts it behind those that have come back before, and ahead of all that were never handed
    /// out. But what somebody has asked back goes to the end when no delivery limit ends that.
    pub(super) fn take_back(&mut self, mut entry: Entry, how: Return) -> Result<(), Entry> {
        entry.redelivered = true;
        entry.returns = entry.returns.saturating_add(1);
        if !self.is_quorum() {
            self.ready.restore(entry);
            return Ok(());
        }
        let limit = self.declared.arguments.delivery_limit;
        if limit.is_some_and(|limit| entry.returns > limit) {
            return Err(entry);
        }
        entry.priority = if how == Return::Asked && limit.is_none() { 0 } else { RETURNED };
        entry.position = self.place();
        self.ready.push(entry);
        Ok(())
    }

    pub(super) fn place(&mut self) -> u64 {
        self.next_position += 1;
        self.next_position
    }

    /// The consumer that gets the next message: round robin over those with room, or the one active consumer.
    pub(super) fn pick(&mut self, consumers: &Slots<ConsumerState>) -> Option<ConsumerId> {
        if self.roomy == 0 {
            return None;
        }
        let has_room = |id: &ConsumerId| consumers.get(*id).is_some_and(ConsumerState::has_room);
        if self.declared.arguments.single_active_consumer {
            return self.consumers.first().copied().filter(has_room);
        }
        for _ in 0..self.consumers.len() {
            let id = self.consumers[self.turn];
            self.turn = (self.turn + 1) % self.consumers.len();
            if has_room(&id) {
                return Some(id);
            }
        }
        None
    }

    /// Takes a consumer out of the round.
    pub(super) fn leave(&mut self, id: ConsumerId, had_room: bool) {
        let Some(index) = self.consumers.iter().position(|consumer| *consumer == id) else { return };
        self.consumers.remove(index);
        self.roomy -= usize::from(had_room);
        if index < self.turn {
            self.turn -= 1;
        }
        if self.turn >= self.consumers.len() {
            self.turn = 0;
        }
        self.unused_since = seam::now();
    }

    /// When the next message at a head expires.
    pub(super) fn message_due(&self) -> Option<Instant> {
        self.ready.due()
    }

    /// When the queue itself expires.
    pub(super) fn queue_due(&self) -> Option<Instant> {
        let expires = self.declared.arguments.expires.filter(|_| self.consumers.is_empty())?;
        self.unused_since.checked_add(expires)
    }

    /// The mark that it has just passed.
    pub(super) fn passed(&mut self) -> Option<QueueLevel> {
        let max_length = self.declared.arguments.max_length?;
        let ready = self.ready.len() as u64;
        let mark = self.water.passes(ready, max_length)?;
        Some(QueueLevel { queue: self.declared.name.clone(), mark, ready, max_length })
    }

    /// Whether there is something that a consumer has or will get.
    pub(super) fn is_busy(&self) -> bool {
        self.in_flight > 0 || (!self.consumers.is_empty() && !self.ready.is_empty())
    }
}
