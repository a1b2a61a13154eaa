//! All that the broker knows, behind one lock, and the way messages take through it.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use tokio::time::Instant;

use super::consumer::{ConsumerId, ConsumerState, Delivered};
use super::dead_letter::{Letter, Reason, Waiting};
use super::effects::Effects;
use super::exchange::{Exchange, ExchangeId, Target};
use super::limits::{Limits, Load};
use super::queue::{Held, Holder, Queue, QueueId, Return};
use super::ready::Entry;
use super::slots::Slots;
use super::snapshot::Totals;
use super::timer::Due;
use crate::envelope::Envelope;
use crate::names::{ExchangeName, QueueName};
use crate::seam;

#[derive(Debug)]
pub(super) struct State {
    pub(super) exchanges: Slots<Exchange>,
    pub(super) exchange_ids: HashMap<ExchangeName, ExchangeId>,
    pub(super) queues: Slots<Queue>,
    pub(super) queue_ids: HashMap<QueueName, QueueId>,
    pub(super) consumers: Slots<ConsumerState>,
    /// How many consumers wait for their queue to come back.
    pub(super) orphans: usize,
    /// What happens by itself, and when.
    pub(super) timers: BTreeSet<(Instant, Due)>,
    /// When the timer looks next; `None` while it does not run or sleeps without end.
    pub(super) armed: Option<Instant>,
    /// Dead letters on their way; empty whenever the lock is free.
    pub(super) letters: VecDeque<Letter>,
    /// Stuck dead letters that no queue wants, by the queue where they are stuck.
    pub(super) unrouted: Waiting,
    /// How many dead letters ever got stuck.
    pub(super) tickets: u64,
    pub(super) limits: Limits,
    pub(super) load: Load,
    /// How many publishers wait for space.
    pub(super) publishers_waiting: usize,
    pub(super) totals: Totals,
    /// How many queues are busy.
    pub(super) busy: usize,
    pub(super) effects: Effects,
    /// How many walks through the exchanges there were.
    pub(super) walks: u64,
    /// What a walk has ahead; kept for its memory.
    pub(super) ahead: Vec<Target>,
    /// The queues that a message reaches; kept for its memory.
    pub(super) reached: Vec<QueueId>,
}

impl State {
    pub(super) fn new(limits: Limits) -> Self {
        let mut state = Self {
            exchanges: Slots::default(),
            exchange_ids: HashMap::new(),
            queues: Slots::default(),
            queue_ids: HashMap::new(),
            consumers: Slots::default(),
            orphans: 0,
            timers: BTreeSet::new(),
            armed: None,
            letters: VecDeque::new(),
            unrouted: Waiting::new(),
            tickets: 0,
            limits,
            load: Load::default(),
            publishers_waiting: 0,
            totals: Totals::default(),
            busy: 0,
            effects: Effects::default(),
            walks: 0,
            ahead: Vec::new(),
            reached: Vec::new(),
        };
        state.declare_predefined();
        state
    }

    /// Brings what a change has set off to its end, and says what is to do without the lock.
    pub(super) fn finish(&mut self) -> Effects {
        self.deliver_letters();
        self.effects.alarm = match (self.timers.first(), self.armed) {
            (Some((first, _)), Some(armed)) => *first < armed,
            (first, None) => first.is_some(),
            (None, Some(_)) => false,
        };
        std::mem::take(&mut self.effects)
    }

    /// Puts a message into a queue, whether the queue wants it or not.
    pub(super) fn enqueue(&mut self, id: QueueId, envelope: Arc<Envelope>) {
        self.expire_heads(id);
        let Some(queue) = self.queues.get_mut(id) else { return };
        let entry = queue.admit(envelope);
        self.load.add(&entry);
        self.totals.enqueued += 1;
        // Handed over without having been in the queue, a message with a time to live of zero is in time.
        let idle = if queue.ready.is_empty() { queue.pick(&self.consumers) } else { None };
        match idle {
            Some(consumer) => self.hand_over(id, consumer, entry),
            None => {
                queue.ready.push(entry);
                self.drop_surplus(id);
            }
        }
        self.refresh(id);
    }

    /// Gives the ready messages of a queue to its consumers, as far as they have room.
    pub(super) fn hand_out(&mut self, id: QueueId) {
        self.expire_heads(id);
        while let Some(queue) = self.queues.get_mut(id) {
            if queue.ready.is_empty() {
                break;
            }
            let Some(consumer) = queue.pick(&self.consumers) else { break };
            let Some(entry) = queue.ready.pop() else { break };
            self.hand_over(id, consumer, entry);
            self.expire_heads(id);
        }
        self.refresh(id);
    }

    fn hand_over(&mut self, id: QueueId, to: ConsumerId, entry: Entry) {
        let (Some(queue), Some(consumer)) = (self.queues.get_mut(id), self.consumers.get_mut(to)) else {
            return;
        };
        let envelope = Arc::clone(&entry.envelope);
        let (redelivered, count) = (entry.redelivered, queue.is_quorum().then_some(entry.returns));
        let turn = queue.place();
        let tag = queue.held.insert(Held { entry, holder: Holder::Consumer(to), turn });
        queue.in_flight += 1;
        consumer.held += 1;
        if !consumer.has_room() {
            queue.roomy -= 1;
        }
        consumer.buffer.push_back(Delivered { queue: id, tag, envelope, redelivered, delivery_count: count });
        if let Some(waker) = consumer.waker.take() {
            self.effects.wake.push(waker);
        }
    }

    /// Puts messages back that had been handed out.
    pub(super) fn take_back(&mut self, id: QueueId, entries: impl IntoIterator<Item = Entry>, how: Return) {
        for entry in entries {
            let Some(queue) = self.queues.get_mut(id) else { return };
            if let Err(entry) = queue.take_back(entry, how) {
                self.letters.push_back(Letter::new(id, entry, Reason::DeliveryLimit));
            }
        }
        // What a consumer of a quorum queue takes at once is no surplus; a classic queue looks at its length first.
        if self.queues.get(id).is_some_and(Queue::is_quorum) {
            self.hand_out(id);
            self.drop_surplus(id);
            self.refresh(id);
        } else {
            self.drop_surplus(id);
            self.hand_out(id);
        }
    }

    fn drop_surplus(&mut self, id: QueueId) {
        while let Some(entry) = self.queues.get_mut(id).and_then(Queue::pop_surplus) {
            self.letters.push_back(Letter::new(id, entry, Reason::MaxLen));
        }
    }

    /// Takes the messages whose time is over from the head of a queue.
    pub(super) fn expire_heads(&mut self, id: QueueId) {
        let Some(queue) = self.queues.get_mut(id) else { return };
        if queue.message_due().is_none() {
            return;
        }
        let now = seam::now();
        while queue.message_due().is_some_and(|due| due <= now) {
            let Some(entry) = queue.ready.pop() else { return };
            self.letters.push_back(Letter::new(id, entry, Reason::Expired));
        }
    }

    /// A message has left the broker.
    pub(super) fn forget(&mut self, entry: Entry) {
        self.load.subtract(&entry);
        self.effects.space |= self.publishers_waiting > 0;
        self.effects.drop.push(entry.envelope);
    }

    /// Brings what is derived from a queue up to date, after every change of it.
    pub(super) fn refresh(&mut self, id: QueueId) {
        let Some(queue) = self.queues.get_mut(id) else { return };
        let alarm = match (queue.message_due(), queue.queue_due()) {
            (Some(message), Some(whole)) => Some(message.min(whole)),
            (message, whole) => message.or(whole),
        };
        if alarm != queue.alarm {
            if let Some(old) = std::mem::replace(&mut queue.alarm, alarm) {
                self.timers.remove(&(old, Due::Queue(id)));
            }
            self.timers.extend(alarm.map(|at| (at, Due::Queue(id))));
        }
        if let Some(level) = queue.passed() {
            self.effects.levels.push(level);
        }
        let busy = queue.is_busy();
        if busy != queue.busy {
            queue.busy = busy;
            self.count_busy(busy);
        }
        self.retry_waiting(id);
    }

    pub(super) fn count_busy(&mut self, busy: bool) {
        if busy {
            self.busy += 1;
        } else {
            self.busy -= 1;
            self.effects.quiet |= self.busy == 0;
        }
    }
}
