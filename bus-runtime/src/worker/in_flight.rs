//! Which messages are being handled: for those who wait until it is none, and for those who ask why it takes so long.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::seam;
use crate::topology::HandlerEntry;

/// The messages that the workers of an app are handling.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    count: AtomicUsize,
    idle: Notify,
    waiting: Mutex<Waiting>,
}

/// The messages whose handlers have begun to wait for something, oldest first. Those that end at once are never in here.
#[derive(Debug, Default)]
struct Waiting {
    next: u64,
    since: BTreeMap<u64, (Instant, Arc<HandlerEntry>)>,
}

/// The message that has been in the hands of its handlers for longest.
#[cfg(feature = "cli")]
#[derive(Clone, Debug)]
pub(crate) struct Oldest {
    /// The handler, the first of several.
    pub(crate) handler: Arc<HandlerEntry>,
    /// For how long.
    pub(crate) age: Duration,
}

impl InFlight {
    /// Counts one message for as long as the guard lives.
    pub(crate) fn enter(self: &Arc<Self>) -> Entered {
        self.count.fetch_add(1, Ordering::SeqCst);
        Entered { all: Arc::clone(self), waiting: None }
    }

    /// How many messages are being handled.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.count() == 0
    }

    /// The one that takes longest.
    #[cfg(feature = "cli")]
    pub(crate) fn oldest(&self) -> Option<Oldest> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, handler) = waiting.since.values().next()?;
        Some(Oldest { handler: Arc::clone(handler), age: seam::now().saturating_duration_since(*since) })
    }

    /// Those that wait for something, the oldest first, and for how long they are being handled.
    pub(crate) fn all(&self) -> Vec<(Arc<HandlerEntry>, Duration)> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let now = seam::now();
        let all = waiting.since.values();
        all.map(|(since, handler)| (Arc::clone(handler), now.saturating_duration_since(*since))).collect()
    }

    /// Waits until no message is being handled.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub(crate) async fn idle(&self) {
        loop {
            let idle = self.idle.notified();
            if self.is_idle() {
                return;
            }
            idle.await;
        }
    }
}

/// One message that is being handled.
pub(crate) struct Entered {
    all: Arc<InFlight>,
    waiting: Option<u64>,
}

impl Entered {
    /// Its handler did not end at once.
    pub(super) fn waits(&mut self, handler: Arc<HandlerEntry>) {
        let mut waiting = self.all.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let number = waiting.next;
        waiting.next += 1;
        waiting.since.insert(number, (seam::now(), handler));
        self.waiting = Some(number);
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        if let Some(number) = self.waiting {
            let mut waiting = self.all.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.since.remove(&number);
        }
        if self.all.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.all.idle.notify_waiters();
        }
    }
}
