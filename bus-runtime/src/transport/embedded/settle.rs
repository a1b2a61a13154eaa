//! What becomes of messages that were handed out.

use std::sync::Arc;

use super::consumer::Delivered;
use super::dead_letter::{Letter, Reason};
use super::errors;
use super::queue::{ConnectionId, Held, HeldId, Holder, QueueId, Return};
use super::ready::Entry;
use super::state::State;
use crate::error::Error;
use crate::names::QueueName;
use crate::seam;
use crate::transport::Verdict;

impl State {
    /// Settles a message; `None` when its holder does not have it any more.
    pub(super) fn settle(
        &mut self,
        id: QueueId,
        holder: Holder,
        held: HeldId,
        verdict: Verdict,
    ) -> Option<()> {
        let entry = self.release(id, holder, held)?;
        match verdict {
            Verdict::Ack => {
                self.totals.acked += 1;
                self.forget(entry);
                self.hand_out(id);
            }
            Verdict::Requeue => self.take_back(id, [entry], Return::Asked),
            Verdict::Reject => {
                self.letters.push_back(Letter::new(id, entry, Reason::Rejected));
                self.hand_out(id);
            }
        }
        Some(())
    }

    /// Puts a message back that its holder has dropped; nothing when it is settled.
    pub(super) fn abandon(&mut self, id: QueueId, holder: Holder, held: HeldId) {
        if let Some(entry) = self.release(id, holder, held) {
            self.take_back(id, [entry], Return::Abandoned);
        }
    }

    /// Takes a message out of the hands of its holder.
    fn release(&mut self, id: QueueId, holder: Holder, held: HeldId) -> Option<Entry> {
        let queue = self.queues.get_mut(id)?;
        let entry = queue.held.remove(held)?.entry;
        if let Holder::Consumer(consumer) = holder {
            queue.in_flight -= 1;
            if let Some(consumer) = self.consumers.get_mut(consumer) {
                queue.roomy += usize::from(consumer.attached && !consumer.has_room());
                consumer.held -= 1;
            }
        }
        Some(entry)
    }

    /// Takes one message off a queue for a connection.
    pub(super) fn get(
        &mut self,
        name: &QueueName,
        connection: ConnectionId,
    ) -> Result<Option<Delivered>, Error> {
        let id = self.find_queue(name, connection)?;
        let Some(queue) = self.queues.get_mut(id) else { return Ok(None) };
        if queue.is_quorum() && queue.declared.arguments.single_active_consumer {
            return Err(errors::single_active(name));
        }
        queue.unused_since = seam::now();
        let turn = queue.place();
        let delivered = queue.ready.pop().map(|entry| {
            let envelope = Arc::clone(&entry.envelope);
            let (redelivered, delivery_count) =
                (entry.redelivered, queue.is_quorum().then_some(entry.returns));
            let tag = queue.held.insert(Held { entry, holder: Holder::Getter(connection), turn });
            Delivered { queue: id, tag, envelope, redelivered, delivery_count }
        });
        self.refresh(id);
        Ok(delivered)
    }
}
