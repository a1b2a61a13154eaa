//! A walk through a queue that hands nothing out: it remembers places, and looks whether their messages are still there.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::dead_letter::{Letter, Reason};
use super::errors;
use super::queue::{ConnectionId, QueueId};
use super::ready::Entry;
use super::shared::Shared;
use super::state::State;
use crate::envelope::Envelope;
use crate::error::Error;
use crate::names::QueueName;
use crate::transport::{BoxFuture, Browser, Incoming, SettleChannel, Settler, Verdict};

/// Where a message stands in its queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot {
    priority: u8,
    position: u64,
}

/// The places of all messages that a queue holds, in the order in which they will be delivered.
#[derive(Debug)]
pub(super) struct Walk {
    queue: QueueId,
    spots: VecDeque<Spot>,
}

/// What is seen of a message without taking it.
struct Seen {
    envelope: Arc<Envelope>,
    redelivered: bool,
    delivery_count: Option<u32>,
}

impl State {
    pub(super) fn walk(&mut self, name: &QueueName, connection: ConnectionId) -> Result<Walk, Error> {
        let id = self.find_queue(name, connection)?;
        let entries = self.queues.get(id).into_iter().flat_map(|queue| queue.ready.iter());
        let spot = |entry: &Entry| Spot { priority: entry.priority, position: entry.position };
        Ok(Walk { queue: id, spots: entries.map(spot).collect() })
    }

    /// The message that stands there, while it does.
    fn look(&self, id: QueueId, Spot { priority, position }: Spot) -> Option<Seen> {
        let queue = self.queues.get(id)?;
        let entry = queue.ready.find(priority, position)?;
        let delivery_count = queue.is_quorum().then_some(entry.returns);
        Some(Seen { envelope: Arc::clone(&entry.envelope), redelivered: entry.redelivered, delivery_count })
    }

    /// Settles the message that stands there; `None` when somebody else has it.
    fn pick_up(&mut self, id: QueueId, spot: Spot, verdict: Verdict) -> Option<()> {
        let queue = self.queues.get_mut(id)?;
        match verdict {
            Verdict::Requeue => queue.ready.find(spot.priority, spot.position).map(drop),
            Verdict::Ack => {
                let entry = queue.ready.take(spot.priority, spot.position)?;
                self.totals.acked += 1;
                self.forget(entry);
                self.refresh(id);
                Some(())
            }
            Verdict::Reject => {
                let entry = queue.ready.take(spot.priority, spot.position)?;
                self.letters.push_back(Letter::new(id, entry, Reason::Rejected));
                self.refresh(id);
                Some(())
            }
        }
    }
}

/// A walk through a queue.
pub(super) struct Walker {
    shared: Arc<Shared>,
    walk: Walk,
}

impl Walker {
    pub(super) fn new(shared: Arc<Shared>, walk: Walk) -> Self {
        Self { shared, walk }
    }

    fn next(&mut self) -> Option<Incoming> {
        let Walk { queue, spots } = &mut self.walk;
        loop {
            let spot = spots.pop_front()?;
            let found = self.shared.with(|state| {
                state.run_due();
                state.look(*queue, spot)
            });
            if let Some(Seen { envelope, redelivered, delivery_count }) = found {
                let stand =
                    Stand { shared: Arc::clone(&self.shared), queue: *queue, spot: Mutex::new(Some(spot)) };
                let settler = Settler::new(Arc::new(stand), 0);
                return Some(Incoming { envelope, redelivered, delivery_count, defect: None, settler });
            }
        }
    }
}

impl Browser for Walker {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Incoming>, Error>> {
        Box::pin(async { Ok(self.next()) })
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, Result<(), Error>> {
        // Nothing was handed out.
        Box::pin(async { Ok(()) })
    }
}

impl fmt::Debug for Walker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walker").field("walk", &self.walk).finish_non_exhaustive()
    }
}

/// Where one message is settled that was only looked at.
struct Stand {
    shared: Arc<Shared>,
    queue: QueueId,
    spot: Mutex<Option<Spot>>,
}

impl SettleChannel for Stand {
    fn settle(&self, _tag: u64, verdict: Verdict) -> Result<(), Error> {
        let spot = self.spot.lock().unwrap_or_else(PoisonError::into_inner).take();
        let settled =
            spot.and_then(|spot| self.shared.with(|state| state.pick_up(self.queue, spot, verdict)));
        settled.ok_or_else(errors::holder_gone)
    }
}

impl fmt::Debug for Stand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stand").field("queue", &self.queue).field("spot", &self.spot).finish_non_exhaustive()
    }
}
