//! One handler of a queue as the worker drives it: the stack of layers, and what it has done so far.

use std::future::poll_fn;
use std::sync::Arc;

use tokio::sync::Mutex;
use tower_service::Service;

use crate::counters::Counters;
use crate::delivery::Delivery;
use crate::error::BoxError;
use crate::instances::InstanceFinder;
use crate::middleware::{HandlerService, Layers};
use crate::outcome::Outcome;
use crate::topology::HandlerEntry;
use crate::transport::BoxFuture;

/// One handler of a queue.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) entry: Arc<HandlerEntry>,
    pub(crate) counters: Arc<Counters>,
    pub(super) calls: Calls,
}

/// What a message calls.
#[derive(Debug)]
pub(super) enum Calls {
    /// The function.
    Function(Stack),
    /// What is called from elsewhere too, or when the message's turn has come: until then it keeps no layer from taking others.
    Shared(SharedCalls),
}

/// What is called from several places, which take turns in asking the layers whether they are ready.
#[derive(Clone, Debug)]
pub(super) enum SharedCalls {
    /// The function: of a command, which is called for messages and directly, or of messages that wait for their turn.
    Function(Arc<Mutex<Stack>>),
    /// The method, for each instance that is found when the message has begun.
    Method(InstanceFinder, Arc<Mutex<Stack>>),
}

/// A handler with its layers, and what it takes to build them anew.
#[derive(Debug)]
pub(super) struct Stack {
    entry: Arc<HandlerEntry>,
    counters: Arc<Counters>,
    layers: Layers,
    service: HandlerService,
    ready: bool,
}

impl Member {
    pub(crate) fn new(entry: &Arc<HandlerEntry>, counters: &Arc<Counters>, layers: &Layers) -> Self {
        let stack = Stack::new(entry, counters, layers);
        let shared = |stack| Arc::new(Mutex::new(stack));
        let calls = match entry.instances {
            None if entry.is_command() || entry.ordered_by.is_some() => {
                Calls::Shared(SharedCalls::Function(shared(stack)))
            }
            None => Calls::Function(stack),
            Some(finder) => Calls::Shared(SharedCalls::Method(finder, shared(stack))),
        };
        Self { entry: Arc::clone(entry), counters: Arc::clone(counters), calls }
    }

    /// Waits until the layers take a message; where they are shared, each call waits by itself.
    ///
    /// # Cancel safety
    /// As [`Stack::ready`].
    pub(crate) async fn ready(&mut self) {
        match &mut self.calls {
            Calls::Function(stack) => stack.ready().await,
            Calls::Shared(_) => {}
        }
    }

    /// What is called from elsewhere too, if anything.
    pub(super) fn shared(&self) -> Option<&SharedCalls> {
        match &self.calls {
            Calls::Function(_) => None,
            Calls::Shared(calls) => Some(calls),
        }
    }
}

impl Stack {
    fn new(entry: &Arc<HandlerEntry>, counters: &Arc<Counters>, layers: &Layers) -> Self {
        let service = layers.around(entry, counters);
        Self {
            entry: Arc::clone(entry),
            counters: Arc::clone(counters),
            layers: layers.clone(),
            service,
            ready: false,
        }
    }

    /// Waits until the layers take a message. A layer that is broken for good is built anew, so that it costs messages their
    /// attempt but never the queue its worker.
    ///
    /// # Cancel safety
    /// Safe to cancel: readiness that was reached is remembered.
    pub(super) async fn ready(&mut self) {
        while !self.ready {
            match poll_fn(|cx| self.service.poll_ready(cx)).await {
                Ok(()) => self.ready = true,
                Err(error) => {
                    tracing::error!(handler = %self.entry.name, %error, "a layer failed; it is built anew");
                    self.service = self.layers.around(&self.entry, &self.counters);
                    crate::seam::sleep(REBUILD_DELAY).await;
                }
            }
        }
    }

    /// Calls the handler through its layers. Must follow [`ready`](Self::ready).
    pub(super) fn call(&mut self, delivery: Delivery) -> BoxFuture<'static, Result<Outcome, BoxError>> {
        self.ready = false;
        self.service.call(delivery)
    }
}

/// How long a queue rests after one of its layers failed for good, so that it does not fail in a loop.
const REBUILD_DELAY: std::time::Duration = std::time::Duration::from_secs(1);
