//! The messages of a queue that wait for a consumer, in the order they will be delivered.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::time::Instant;

use crate::envelope::Envelope;

/// Below so many places nothing is given back to the allocator: it is not worth the work.
const KEPT_PLACES: usize = 1024;

/// One message in one queue: 40 bytes, beside the envelope that it shares with other queues and with the publisher.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) envelope: Arc<Envelope>,
    /// Its place in the queue; smaller is older. Unique within the queue.
    pub(super) position: u64,
    /// When it expires.
    pub(super) expires: Option<Instant>,
    /// How often it came back from a consumer.
    pub(super) returns: u32,
    /// Its priority, capped at the queue's maximum.
    pub(super) priority: u8,
    /// Whether it was handed out before.
    pub(super) redelivered: bool,
    /// Whether a walk through the queue has it: no other one shows it.
    pub(super) shown: bool,
}

impl Entry {
    pub(super) fn bytes(&self) -> u64 {
        self.envelope.body.len() as u64
    }
}

/// First in, first out, within each priority; the highest priority first.
#[derive(Debug)]
pub(super) struct Ready {
    /// By priority. A queue without priorities has one level.
    levels: Box<[VecDeque<Entry>]>,
    len: usize,
    bytes: u64,
}

impl Ready {
    /// For a queue with priorities up to this one.
    pub(super) fn new(max_priority: u8) -> Self {
        Self { levels: (0..=max_priority).map(|_| VecDeque::new()).collect(), len: 0, bytes: 0 }
    }

    fn max_priority(&self) -> u8 {
        u8::try_from(self.levels.len() - 1).unwrap_or(u8::MAX)
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The bytes of the bodies.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn push(&mut self, entry: Entry) {
        self.count(&entry);
        self.levels[usize::from(entry.priority)].push_back(entry);
    }

    /// Puts a message back where it was before it left.
    pub(super) fn restore(&mut self, entry: Entry) {
        self.count(&entry);
        let level = &mut self.levels[usize::from(entry.priority)];
        let place = level.partition_point(|other| other.position < entry.position);
        level.insert(place, entry);
    }

    /// The next message to deliver.
    pub(super) fn pop(&mut self) -> Option<Entry> {
        let level = self.levels.iter_mut().rev().find(|level| !level.is_empty())?;
        let mut entry = level.pop_front()?;
        entry.shown = false;
        self.len -= 1;
        self.bytes -= entry.bytes();
        // A queue that was long once does not keep the memory for ever.
        if level.capacity() > KEPT_PLACES && level.len() < level.capacity() / 4 {
            level.shrink_to(level.capacity() / 2);
        }
        Some(entry)
    }

    /// The message with this place and priority, while it is here.
    pub(super) fn find_mut(&mut self, priority: u8, position: u64) -> Option<&mut Entry> {
        let level = self.levels.get_mut(usize::from(priority))?;
        let at = level.binary_search_by_key(&position, |entry| entry.position).ok()?;
        level.get_mut(at)
    }

    /// Takes the message with this place and priority, wherever it stands.
    pub(super) fn take(&mut self, priority: u8, position: u64) -> Option<Entry> {
        let level = self.levels.get_mut(usize::from(priority))?;
        let at = level.binary_search_by_key(&position, |entry| entry.position).ok()?;
        let entry = level.remove(at)?;
        self.len -= 1;
        self.bytes -= entry.bytes();
        Some(entry)
    }

    /// When the next message to deliver expires. Those behind it are not looked at, whatever their time.
    pub(super) fn due(&self) -> Option<Instant> {
        self.levels.iter().rev().find_map(VecDeque::front)?.expires
    }

    /// All messages, in the order they will be delivered.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.levels.iter().rev().flatten()
    }

    /// Takes all messages.
    pub(super) fn clear(&mut self) -> impl Iterator<Item = Entry> + use<> {
        let empty = Self::new(self.max_priority());
        std::mem::replace(self, empty).levels.into_iter().rev().flatten()
    }

    fn count(&mut self, entry: &Entry) {
        self.len += 1;
        self.bytes += entry.bytes();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ExchangeName, RoutingKey};

    fn entry(position: u64, priority: u8) -> Entry {
        let key = RoutingKey::new(position.to_string()).unwrap();
        let envelope = Arc::new(Envelope::new(ExchangeName::default_exchange(), key, "body"));
        Entry { envelope, position, expires: None, returns: 0, priority, redelivered: false, shown: false }
    }

    fn order(ready: &Ready) -> Vec<u64> {
        ready.iter().map(|entry| entry.position).collect()
    }

    #[test]
    fn an_entry_is_small() {
        assert!(size_of::<Entry>() <= 40, "{}", size_of::<Entry>());
    }

    #[test]
    fn the_highest_priority_leaves_first_and_the_oldest_within_it() {
        let mut ready = Ready::new(2);
        [(0, 1), (1, 0), (2, 2), (3, 1)]
            .into_iter()
            .for_each(|(at, priority)| ready.push(entry(at, priority)));
        assert_eq!(order(&ready), [2, 0, 3, 1]);
        assert_eq!(ready.pop().map(|entry| entry.position), Some(2));
        assert_eq!((ready.len(), ready.bytes()), (3, 12));
        assert_eq!(ready.clear().map(|entry| entry.position).collect::<Vec<_>>(), [0, 3, 1]);
        assert_eq!((ready.len(), ready.bytes(), ready.max_priority()), (0, 0, 2));
    }

    #[test]
    fn a_restored_message_is_where_it_was() {
        let mut ready = Ready::new(0);
        (0..6).for_each(|at| ready.push(entry(at, 0)));
        let mut out: Vec<Entry> = (0..4).filter_map(|_| ready.pop()).collect();
        ready.restore(out.remove(2));
        ready.restore(out.remove(0));
        assert_eq!(order(&ready), [0, 2, 4, 5]);
    }

    #[test]
    fn memory_is_given_back() {
        let mut ready = Ready::new(0);
        (0..100_000).for_each(|at| ready.push(entry(at, 0)));
        (0..99_990).for_each(|_| drop(ready.pop()));
        assert!(ready.levels[0].capacity() <= 2 * KEPT_PLACES, "{}", ready.levels[0].capacity());
    }
}
