//! One handler of a queue as the worker drives it: the stack of layers, and what it has done so far.

use std::future::poll_fn;
use std::sync::Arc;

use tower_service::Service;

use crate::counters::Counters;
use crate::delivery::Delivery;
use crate::error::BoxError;
use crate::middleware::{HandlerService, Layers};
use crate::outcome::Outcome;
use crate::topology::HandlerEntry;
use crate::transport::BoxFuture;

/// One handler of a queue.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) entry: Arc<HandlerEntry>,
    pub(crate) counters: Arc<Counters>,
    stack: HandlerService,
    layers: Layers,
    ready: bool,
}

impl Member {
    pub(crate) fn new(entry: &Arc<HandlerEntry>, counters: &Arc<Counters>, layers: &Layers) -> Self {
        Self {
            entry: Arc::clone(entry),
            counters: Arc::clone(counters),
            stack: layers.around(entry),
            layers: layers.clone(),
            ready: false,
        }
    }

    /// Waits until the layers take a message. A layer that is broken for good is built anew, so that it costs messages their
    /// attempt but never the queue its worker.
    ///
    /// # Cancel safety
    /// Safe to cancel: readiness that was reached is remembered.
    pub(crate) async fn ready(&mut self) {
        while !self.ready {
            match poll_fn(|cx| self.stack.poll_ready(cx)).await {
                Ok(()) => self.ready = true,
                Err(error) => {
                    tracing::error!(handler = %self.entry.name, %error, "a layer failed; it is built anew");
                    self.stack = self.layers.around(&self.entry);
                    crate::seam::sleep(REBUILD_DELAY).await;
                }
            }
        }
    }

    /// Calls the handler through its layers. Must follow [`ready`](Self::ready).
    pub(crate) fn call(&mut self, delivery: Delivery) -> BoxFuture<'static, Result<Outcome, BoxError>> {
        self.ready = false;
        self.stack.call(delivery)
    }
}

/// How long a queue rests after one of its layers failed for good, so that it does not fail in a loop.
const REBUILD_DELAY: std::time::Duration = std::time::Duration::from_secs(1);
