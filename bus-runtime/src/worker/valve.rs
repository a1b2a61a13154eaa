//! Queues that somebody has paused: this process takes nothing of them until somebody lets them go on.

use std::collections::BTreeSet;

use tokio::sync::watch;

use super::Worker;
use super::brake::Drains;
use super::phase::{self, Phase};
use crate::names::QueueName;
use crate::transport::Consumer;

/// The queues that are paused.
#[derive(Debug)]
pub(crate) struct Valves(watch::Sender<Closed>);

/// Why queues are paused. Whoever lets all of them go on leaves alone those that were paused one by one.
#[derive(Debug, Default)]
struct Closed {
    one_by_one: BTreeSet<QueueName>,
    all_at_once: BTreeSet<QueueName>,
}

impl Closed {
    fn contains(&self, queue: &QueueName) -> bool {
        self.one_by_one.contains(queue) || self.all_at_once.contains(queue)
    }
}

impl Default for Valves {
    fn default() -> Self {
        Self(watch::Sender::new(Closed::default()))
    }
}

impl Valves {
    /// Pauses a queue.
    #[cfg(feature = "dashboard")]
    pub(crate) fn close(&self, queue: &QueueName) {
        self.0.send_if_modified(|closed| closed.one_by_one.insert(queue.clone()));
    }

    /// Lets a queue go on.
    #[cfg(feature = "dashboard")]
    pub(crate) fn open(&self, queue: &QueueName) {
        self.0.send_if_modified(|closed| closed.one_by_one.remove(queue));
    }

    /// Pauses all of these queues. Those of sessions are not among them: a handler that has begun may wait for its session.
    pub(crate) fn quiet<'q>(&self, queues: impl IntoIterator<Item = &'q QueueName>) {
        let queues = queues.into_iter().cloned().collect();
        self.0.send_modify(|closed| closed.all_at_once = queues);
    }

    /// Lets those go on that were paused together.
    pub(crate) fn resume(&self) {
        self.0.send_modify(|closed| closed.all_at_once.clear());
    }

    /// Whether queues are paused together.
    pub(crate) fn is_quiet(&self) -> bool {
        !self.0.borrow().all_at_once.is_empty()
    }

    pub(crate) fn is_closed(&self, queue: &QueueName) -> bool {
        self.0.borrow().contains(queue)
    }

    /// Waits until a queue is paused, or is not.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub(super) async fn until(&self, queue: &QueueName, is_closed: Position) {
        let wanted = is_closed == Position::Closed;
        let mut changes = self.0.subscribe();
        // The sender lives as long as the app.
        let _ = changes.wait_for(|closed| closed.contains(queue) == wanted).await;
    }
}

/// How a valve stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Position {
    Open,
    Closed,
}

impl Worker {
    /// Stops to consume until the queue may go on.
    pub(super) async fn pause(
        &mut self,
        consumer: Box<dyn Consumer>,
        phase: &mut watch::Receiver<Phase>,
    ) -> Result<Box<dyn Consumer>, Drains> {
        tracing::info!(queue = %self.queue.name, "the queue is paused: its messages stay in the broker");
        self.give_up(consumer, phase).await?;
        let hub = std::sync::Arc::clone(&self.hub);
        tokio::select! {
            biased;
            () = phase::drains(phase) => return Err(Drains(None)),
            () = hub.valves.until(&self.queue.name, Position::Open) => {}
        }
        tracing::info!(queue = %self.queue.name, "the queue goes on");
        self.consume_again(self.prefetch(), phase).await
    }
}
