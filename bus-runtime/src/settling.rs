//! Publish and wait: what of a message, and of all that it led to, is not settled in this process yet.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::arrival::Arrival;
use crate::envelope::{Envelope, header};
use crate::error::{Error, ErrorKind};
use crate::hub::Hub;
use crate::names::QueueName;
use crate::seam;
use crate::topology::QueueEntry;

/// How often to look whether what is awaited has gone elsewhere.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How many looks in a row must find so: a message on its way from the broker is neither ready nor in flight for a moment.
const LOOKS: u32 = 3;
/// How many looks where nobody else consumes the queues: then it can only be late, or purged.
const LOOKS_ALONE: u32 = 100;
/// How late a message may come back from its delay before it is looked for.
const LATE: Duration = Duration::from_secs(5);

/// What became of a message, and of all that it led to, in this process: the answer of
/// [`and_settle`](crate::Publish::and_settle).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settled {
    /// How often a queue of this process was done with a message of them that was handled, or not wanted.
    pub handled: u64,
    /// How often it went to the dead letters, or its failure was discarded.
    pub dead: u64,
}

/// Who waits for what.
#[derive(Debug, Default)]
pub(crate) struct Settling {
    roots: Mutex<HashMap<String, Root>>,
    queues: Mutex<Vec<Arc<QueueEntry>>>,
}

/// One message that somebody waits for, and what it has led to.
#[derive(Debug, Default)]
struct Root {
    /// What is not settled, and when it comes back if it waits for that.
    outstanding: HashMap<Copy, Option<Instant>>,
    settled: Settled,
    /// Grows with every change.
    version: u64,
    changed: Arc<Notify>,
}

/// One copy of a message: in which queue, and for which of its handlers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Copy {
    message_id: String,
    queue: QueueName,
    member: Option<String>,
    instance: Option<String>,
}

/// What comes back of a message: for which handler of a shared queue, for which instance, and after how long.
pub(crate) type ComesBack = (Option<String>, Option<String>, Duration);

impl Settling {
    /// The queues whose messages are handled here.
    pub(crate) fn handles(&self, queues: &[Arc<QueueEntry>]) {
        queues.clone_into(&mut self.queues.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// A queue more, of a session.
    pub(crate) fn handles_too(&self, queue: &Arc<QueueEntry>) {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(queue));
    }

    /// A queue less.
    pub(crate) fn handles_no_more(&self, queue: &QueueName) {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| known.name != *queue);
    }

    /// Somebody waits for a message.
    pub(crate) fn open(self: &Arc<Self>) -> Waiting {
        let id = seam::message_id();
        self.lock().insert(id.clone(), Root::default());
        Waiting { id, settling: Arc::clone(self) }
    }

    /// A message is about to be published: the queues of this process that it will reach.
    pub(crate) fn expect(&self, envelope: &Envelope) -> Vec<QueueName> {
        let Some(id) = envelope.headers.text(header::SETTLE) else { return Vec::new() };
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let reached = queues.iter().filter(|queue| reaches(envelope, queue));
        let reached: Vec<_> = reached.map(|queue| queue.name.clone()).collect();
        drop(queues);
        self.change(id, |root| {
            for queue in &reached {
                root.outstanding.insert(Copy::of(envelope, queue), None);
            }
        });
        reached
    }

    /// The queues of this process, but for those of sessions, that a message reaches.
    pub(crate) fn reached(&self, envelope: &Envelope) -> Vec<QueueName> {
        let queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        let reached = queues.iter().filter(|queue| queue.session.is_none() && reaches(envelope, queue));
        reached.map(|queue| queue.name.clone()).collect()
    }

    /// A message was not published after all.
    pub(crate) fn expect_no_more(&self, envelope: &Envelope, queues: &[QueueName]) {
        let Some(id) = envelope.headers.text(header::SETTLE) else { return };
        self.change(id, |root| {
            for queue in queues {
                root.outstanding.remove(&Copy::of(envelope, queue));
            }
        });
    }

    /// A message has come: it is outstanding whoever has published it.
    pub(crate) fn begin(&self, arrival: &Arrival) {
        let Some(id) = arrival.metadata.headers().text(header::SETTLE) else { return };
        self.change(id, |root| {
            root.outstanding.insert(Copy::arrived(arrival), None);
        });
    }

    /// A message is settled, but for what comes back of it.
    pub(crate) fn end(&self, arrival: &Arrival, comes_back: Vec<ComesBack>, dead: bool) {
        let Some(id) = arrival.metadata.headers().text(header::SETTLE) else { return };
        let copy = Copy::arrived(arrival);
        self.change(id, |root| {
            root.outstanding.remove(&copy);
            if comes_back.is_empty() || dead {
                let count = if dead { &mut root.settled.dead } else { &mut root.settled.handled };
                *count += 1;
            }
            for (member, instance, delay) in comes_back {
                root.outstanding.insert(Copy { member, instance, ..copy.clone() }, Some(seam::now() + delay));
            }
        });
    }

    fn change(&self, id: &str, change: impl FnOnce(&mut Root)) {
        if let Some(root) = self.lock().get_mut(id) {
            change(root);
            root.version += 1;
            root.changed.notify_waiters();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Root>> {
        self.roots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the broker puts a message into a queue.
fn reaches(envelope: &Envelope, queue: &QueueEntry) -> bool {
    if envelope.exchange.is_default() {
        return envelope.routing_key == queue.name.as_str();
    }
    let of_session = || match &queue.session {
        Some(id) => envelope.headers.text(header::SESSION) == Some(id),
        None => true,
    };
    let bound = |key: &crate::topology::CapturingKey| key.key.matches(&envelope.routing_key);
    of_session()
        && queue
            .members
            .iter()
            .any(|entry| entry.exchange == envelope.exchange && entry.keys.iter().any(bound))
}

impl Copy {
    fn of(envelope: &Envelope, queue: &QueueName) -> Self {
        let message_id = envelope.properties.message_id.as_deref().unwrap_or_default().to_owned();
        Self { message_id, queue: queue.clone(), member: None, instance: None }
    }

    fn arrived(arrival: &Arrival) -> Self {
        let Arrival { metadata, member, instance, .. } = arrival;
        let (member, instance) = (member.clone(), instance.clone());
        Self { member, instance, ..Self::of(&metadata.envelope, metadata.queue()) }
    }
}

/// Somebody who waits; forgotten when dropped.
pub(crate) struct Waiting {
    id: String,
    settling: Arc<Settling>,
}

impl Waiting {
    /// What a message carries to be counted.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Waits until nothing is outstanding here.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub(crate) async fn settled(&self, hub: &Hub) -> Result<Settled, Error> {
        let mut finished = hub.shutdown_finished();
        let closed = async {
            // Who has gone without a word is finished too.
            let _ = finished.wait_for(|finished| *finished).await;
        };
        tokio::pin!(closed);
        let mut seen = (0, 0);
        loop {
            let changed = self.look(|root| Arc::clone(&root.changed));
            let changed = changed.notified();
            tokio::pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            if self.look(|root| root.outstanding.is_empty()) {
                return Ok(self.look(|root| root.settled));
            }
            tokio::select! {
                biased;
                () = changed => {}
                () = &mut closed => {
                    return Err(Error::new(ErrorKind::Closed, "the bus was shut down while a message was awaited"));
                }
                () = seam::sleep(LOOK_AGAIN) => {
                    let version = self.look(|root| root.version);
                    let wanted = self.is_elsewhere(hub).await?;
                    let before = if seen.0 == version { seen.1 } else { 0 };
                    seen = (version, wanted.map_or(0, |_| before + 1));
                    if wanted.is_some_and(|looks| seen.1 >= looks) {
                        return Ok(self.look(|root| root.settled));
                    }
                }
            }
        }
    }

    /// Whether nothing of it is here, and how many looks in a row must find so: another process consumes the queue too and has
    /// it, or it is gone.
    async fn is_elsewhere(&self, hub: &Hub) -> Result<Option<u32>, Error> {
        let now = seam::now();
        let waits = |due: &Option<Instant>| due.is_some_and(|due| now < due + LATE);
        let queues: Option<Vec<QueueName>> = self.look(|root| {
            let all = root.outstanding.iter();
            all.map(|(copy, due)| (!waits(due)).then(|| copy.queue.clone())).collect()
        });
        let Some(queues) = queues.filter(|_| hub.in_flight.is_idle()) else { return Ok(None) };
        let mut looks = LOOKS;
        for queue in queues {
            let Some(state) = hub.transport.inspect(&queue).await? else { continue };
            if state.ready > 0 {
                return Ok(None);
            }
            if state.consumers <= 1 {
                looks = LOOKS_ALONE;
            }
        }
        Ok(hub.in_flight.is_idle().then_some(looks))
    }

    fn look<T>(&self, look: impl FnOnce(&Root) -> T) -> T {
        look(self.settling.lock().entry(self.id.clone()).or_default())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.settling.lock().remove(&self.id);
    }
}

impl fmt::Debug for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Waiting").field("id", &self.id).finish_non_exhaustive()
    }
}
