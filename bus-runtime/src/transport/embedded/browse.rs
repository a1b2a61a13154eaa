//! A walk through a queue that hands nothing out: it remembers places, and looks whether their messages are still there. What one
//! walk has shown, no other shows until it ends: two replays do not send one letter twice.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

    /// The message that stands there, while it does and no other walk has it; from now on this one has.
    fn look(&mut self, id: QueueId, Spot { priority, position }: Spot) -> Option<Seen> {
        let queue = self.queues.get_mut(id)?;
        let is_quorum = queue.is_quorum();
        let entry = queue.ready.find_mut(priority, position).filter(|entry| !entry.shown)?;
        entry.shown = true;
        let delivery_count = is_quorum.then_some(entry.returns);
        Some(Seen { envelope: Arc::clone(&entry.envelope), redelivered: entry.redelivered, delivery_count })
    }

    /// Other walks may show the message that stands there, if it still does.
    fn let_go(&mut self, id: QueueId, Spot { priority, position }: Spot) -> Option<()> {
        let entry = self.queues.get_mut(id)?.ready.find_mut(priority, position)?;
        entry.shown = false;
        Some(())
    }

    /// Settles the message that stands there; `None` when somebody else has it.
    fn pick_up(&mut self, id: QueueId, spot: Spot, verdict: Verdict) -> Option<()> {
        match verdict {
            Verdict::Requeue => self.let_go(id, spot),
            Verdict::Ack => {
                let entry = self.queues.get_mut(id)?.ready.take(spot.priority, spot.position)?;
                self.totals.acked += 1;
                self.forget(entry);
                self.refresh(id);
                Some(())
            }
            Verdict::Reject => {
                let entry = self.queues.get_mut(id)?.ready.take(spot.priority, spot.position)?;
                self.letters.push_back(Letter::new(id, entry, Reason::Rejected));
                self.refresh(id);
                Some(())
            }
        }
    }
}

/// A walk through a queue. Dropping it lets go what it has shown, too.
pub(super) struct Walker {
    walk: Walk,
    shown: Arc<Shown>,
}

/// What a walk has shown, and nobody has settled.
struct Shown {
    shared: Arc<Shared>,
    queue: QueueId,
    spots: Mutex<BTreeSet<Spot>>,
}

impl Shown {
    fn spots(&self) -> MutexGuard<'_, BTreeSet<Spot>> {
        self.spots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Walker {
    pub(super) fn new(shared: Arc<Shared>, walk: Walk) -> Self {
        let shown = Shown { shared, queue: walk.queue, spots: Mutex::default() };
        Self { walk, shown: Arc::new(shown) }
    }

    fn next(&mut self) -> Option<Incoming> {
        let Walk { queue, spots } = &mut self.walk;
        loop {
            let spot = spots.pop_front()?;
            let found = self.shown.shared.with(|state| {
                state.run_due();
                state.look(*queue, spot)
            });
            if let Some(Seen { envelope, redelivered, delivery_count }) = found {
                self.shown.spots().insert(spot);
                let settler = Settler::new(Arc::new(Stand { shown: Arc::clone(&self.shown), spot }), 0);
                return Some(Incoming { envelope, redelivered, delivery_count, defect: None, settler });
            }
        }
    }
}

impl Drop for Walker {
    fn drop(&mut self) {
        let left = std::mem::take(&mut *self.shown.spots());
        self.shown.shared.with(|state| {
            for spot in left {
                // Somebody may have consumed it meanwhile.
                let _ = state.let_go(self.shown.queue, spot);
            }
        });
    }
}

impl Browser for Walker {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Incoming>, Error>> {
        Box::pin(async { Ok(self.next()) })
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, Result<(), Error>> {
        Box::pin(async {
            drop(self);
            Ok(())
        })
    }
}

impl fmt::Debug for Walker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Walker").field("walk", &self.walk).finish_non_exhaustive()
    }
}

/// Where one message is settled that was only looked at.
struct Stand {
    shown: Arc<Shown>,
    spot: Spot,
}

impl SettleChannel for Stand {
    fn settle(&self, _tag: u64, verdict: Verdict) -> Result<(), Error> {
        let Shown { shared, queue, .. } = &*self.shown;
        let is_ours = self.shown.spots().remove(&self.spot);
        let settled = is_ours.then(|| shared.with(|state| state.pick_up(*queue, self.spot, verdict)));
        settled.flatten().ok_or_else(errors::holder_gone)
    }
}

impl fmt::Debug for Stand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stand").field("queue", &self.shown.queue).field("spot", &self.spot).finish()
    }
}
