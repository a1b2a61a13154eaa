//! Dead letters: what is written on them, where they go, and where they stay when nobody takes them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::cc;
use super::death;
use super::queue::QueueId;
use super::ready::Entry;
use super::slots::Key;
use super::state::State;
use crate::names::{ExchangeName, RoutingKey};

/// Why a message is dead, in RabbitMQ's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Rejected,
    Expired,
    MaxLen,
    DeliveryLimit,
}

impl Reason {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::MaxLen => "maxlen",
            Self::DeliveryLimit => "delivery_limit",
        }
    }
}

/// A message that has left its queue, on its way to the dead-letter exchange.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) source: QueueId,
    pub(super) entry: Entry,
    pub(super) reason: Reason,
    /// Its place among those that were stuck, when it was.
    ticket: Option<u64>,
}

impl Letter {
    pub(super) fn new(source: QueueId, entry: Entry, reason: Reason) -> Self {
        Self { source, entry, reason, ticket: None }
    }
}

/// A dead letter that could not leave its queue.
#[derive(Debug)]
pub(super) struct Stuck {
    pub(super) entry: Entry,
    reason: Reason,
    ticket: u64,
    /// The full queue that it waits for; otherwise it waits for a change of the topology.
    behind: Option<QueueId>,
}

/// Stuck dead letters in the order in which they got stuck, by the queue that they are in.
pub(super) type Waiting = BTreeMap<u64, (QueueId, Key)>;

/// What became of a letter.
enum Sent {
    Delivered,
    Unrouted,
    Refused(QueueId),
}

impl State {
    /// Sends all letters, and those that this sets off. It ends: see [`death::is_automatic_cycle`].
    pub(super) fn deliver_letters(&mut self) {
        while let Some(letter) = self.letters.pop_front() {
            self.deliver_letter(letter);
        }
    }

    fn deliver_letter(&mut self, letter: Letter) {
        let Some(queue) = self.queues.get(letter.source) else { return self.drop_letter(letter.entry) };
        let keeps = queue.keeps_dead_letters();
        let Some(exchange) = queue.declared.arguments.dead_letter_exchange.clone() else {
            return self.drop_letter(letter.entry);
        };
        match self.send(&letter, exchange, keeps) {
            Sent::Delivered => {
                self.totals.dead_lettered += 1;
                self.forget(letter.entry);
                self.refresh(letter.source);
            }
            Sent::Refused(by) if keeps => self.stick(letter, Some(by)),
            Sent::Unrouted if keeps => self.stick(letter, None),
            Sent::Refused(_) | Sent::Unrouted => self.drop_letter(letter.entry),
        }
    }

    /// Publishes a dead letter. With at-least-once every queue gets it or none: as none is asked twice, none gets it twice.
    fn send(&mut self, letter: &Letter, exchange: ExchangeName, keeps: bool) -> Sent {
        let own_key = self.dead_letter_key(letter);
        let died = Arc::clone(&letter.entry.envelope);
        let key = own_key.clone().unwrap_or_else(|| died.routing_key.clone());
        let mut reached = Vec::new();
        let more = cc::visible_keys(&died.headers).filter(|_| own_key.is_none());
        if self.route_all(&exchange, &key, more, &mut reached).is_none() || reached.is_empty() {
            return Sent::Unrouted;
        }
        let Some(source) = self.queues.get(letter.source).map(|queue| &queue.declared.name) else {
            return Sent::Unrouted;
        };
        let mut envelope = death::certificate(&died, source, letter.reason, exchange, key);
        if own_key.is_some() {
            cc::forget(&mut envelope.headers);
        }
        if letter.reason != Reason::Rejected {
            reached.retain(|id| {
                let name = self.queues.get(*id).map(|queue| queue.declared.name.as_str());
                name.is_some_and(|name| !death::is_automatic_cycle(name, &envelope.headers))
            });
        }
        let bytes = letter.entry.bytes();
        let refuses = |state: &Self, id| state.queues.get(id).is_none_or(|queue| queue.refuses(bytes));
        match reached.iter().copied().find(|id| refuses(self, *id)) {
            Some(full) if keeps => return Sent::Refused(full),
            Some(_) => reached.retain(|id| !refuses(self, *id)),
            None => {}
        }
        if reached.is_empty() {
            return Sent::Unrouted;
        }
        let envelope = Arc::new(envelope);
        reached.into_iter().for_each(|id| self.enqueue(id, Arc::clone(&envelope)));
        Sent::Delivered
    }

    /// The key that the queue has for its dead letters; without it they keep theirs.
    fn dead_letter_key(&self, letter: &Letter) -> Option<RoutingKey> {
        self.queues
            .get(letter.source)
            .and_then(|queue| queue.declared.arguments.dead_letter_routing_key.as_deref())
            .and_then(|key| RoutingKey::new(key).ok())
    }

    fn drop_letter(&mut self, entry: Entry) {
        self.totals.dropped += 1;
        self.forget(entry);
    }

    /// Keeps a letter in the queue that it is from.
    fn stick(&mut self, letter: Letter, behind: Option<QueueId>) {
        let Letter { source, entry, reason, ticket } = letter;
        let Some(queue) = self.queues.get_mut(source) else { return self.drop_letter(entry) };
        let ticket = ticket.unwrap_or_else(|| {
            self.tickets += 1;
            self.tickets
        });
        queue.stuck_bytes += entry.bytes();
        let key = queue.stuck.insert(Stuck { entry, reason, ticket, behind });
        if let Some(waiting) = self.waiting(behind) {
            waiting.insert(ticket, (source, key));
        }
    }

    /// Takes a stuck letter out of its queue, to send it again or to delete it.
    fn unstick(&mut self, source: QueueId, key: Key) -> Option<Letter> {
        let queue = self.queues.get_mut(source)?;
        let Stuck { entry, reason, ticket, behind } = queue.stuck.remove(key)?;
        queue.stuck_bytes -= entry.bytes();
        if let Some(waiting) = self.waiting(behind) {
            waiting.remove(&ticket);
        }
        Some(Letter { source, entry, reason, ticket: Some(ticket) })
    }

    fn waiting(&mut self, behind: Option<QueueId>) -> Option<&mut Waiting> {
        match behind {
            Some(full) => self.queues.get_mut(full).map(|queue| &mut queue.waiting),
            None => Some(&mut self.unrouted),
        }
    }

    /// Sends the letters again that no queue wanted, after a change of the topology.
    pub(super) fn retry_unrouted(&mut self) {
        self.retry(self.unrouted.values().copied().collect());
    }

    /// Sends letters again.
    pub(super) fn retry(&mut self, stuck: Vec<(QueueId, Key)>) {
        for (source, key) in stuck {
            let letter = self.unstick(source, key);
            self.letters.extend(letter);
        }
    }

    /// Sends the oldest letter again that waits for space in this queue, when there is space for it now. The next one follows
    /// when this one is in the queue.
    pub(super) fn retry_waiting(&mut self, id: QueueId) {
        let Some(queue) = self.queues.get(id) else { return };
        let Some((source, key)) = queue.waiting.values().next().copied() else { return };
        let stuck = self.queues.get(source).and_then(|queue| queue.stuck.get(key));
        if stuck.is_some_and(|stuck| !queue.refuses(stuck.entry.bytes())) {
            self.retry(vec![(source, key)]);
        }
    }

    /// Takes all stuck letters out of a queue, to delete them.
    pub(super) fn take_stuck(&mut self, id: QueueId) -> Vec<Entry> {
        let Some(queue) = self.queues.get(id) else { return Vec::new() };
        let keys: Vec<Key> = queue.stuck.iter().map(|(key, _)| key).collect();
        keys.into_iter().filter_map(|key| Some(self.unstick(id, key)?.entry)).collect()
    }
}
