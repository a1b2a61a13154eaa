//! Plain functions that go on after their timeout: they keep their slot until they return, and it is said that they do.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::lanes::Slot;
use crate::counters::Counters;
use crate::seam;
use crate::topology::HandlerEntry;

/// A call that nobody waits for any more, and that goes on all the same: a thread cannot be interrupted.
#[derive(Debug)]
pub(super) struct Stuck {
    entry: Arc<HandlerEntry>,
    counters: Arc<Counters>,
    /// Has a permit when the function has returned.
    returned: Arc<Semaphore>,
}

impl Stuck {
    pub(super) fn new(entry: &Arc<HandlerEntry>, counters: &Arc<Counters>, returned: Arc<Semaphore>) -> Self {
        counters.stuck.add_one();
        tracing::error!(
            code = "BUS0212",
            handler = %entry.name,
            timeout = ?entry.timeout,
            stuck = counters.stuck.get(),
            slots = entry.concurrency,
            "the handler is stuck: it is a plain fn that goes on after its timeout, and keeps its slot until it returns"
        );
        Self { entry: Arc::clone(entry), counters: Arc::clone(counters), returned }
    }

    async fn returns(self) {
        // It is never closed.
        let _ = self.returned.acquire().await;
        tracing::warn!(handler = %self.entry.name, "a stuck handler has returned; its slot is free again");
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        self.counters.stuck.take_one();
    }
}

/// Frees the slot of a message, at once or when the last function that is stuck with it has returned.
pub(super) fn free(slot: Slot, stuck: Vec<Stuck>) {
    if stuck.is_empty() {
        return;
    }
    seam::spawn("stuck", async move {
        let _slot = slot;
        for call in stuck {
            call.returns().await;
        }
    });
}
