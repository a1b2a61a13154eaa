//! What can be seen of a running app, by whoever may outlive its handle.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;

#[cfg(feature = "dashboard")]
use super::shown::Shown;
use crate::counters::{Counters, HandlerStats, Stats};
use crate::dead_letters::DeadLetters;
use crate::error::Error;
use crate::fleet::Control;
use crate::hub::Hub;
use crate::middleware::Layers;
use crate::names::QueueName;
#[cfg(feature = "admin")]
use crate::observe::{Looked, MetricsSettings};
use crate::seam;
use crate::topology::{HandlerEntry, Plan, QueueEntry};
use crate::transport::embedded::EmbeddedBroker;
use crate::transport::{Consumer, Standing};
use crate::worker::{Lookouts, Member, Phase, Worker};

/// How long to wait between two looks at a remote broker's queues.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// How many looks in a row must find nothing: a message on its way from the broker is neither ready nor in flight for a moment.
const QUIET_LOOKS: u32 = 3;

/// What can be seen of a running app.
pub(crate) struct Running {
    pub(crate) hub: Arc<Hub>,
    pub(crate) plan: Plan,
    pub(crate) counters: Vec<Arc<Counters>>,
    pub(crate) embedded: Option<EmbeddedBroker>,
    pub(crate) version: Option<String>,
    pub(crate) control: Control,
    #[cfg(feature = "admin")]
    pub(crate) metrics: MetricsSettings,
    #[cfg(feature = "admin")]
    pub(crate) looked: Looked,
    /// What the dashboard shows beside it.
    #[cfg(feature = "dashboard")]
    pub(crate) shown: Option<Shown>,
    /// What tells whether each queue is consumed.
    pub(super) lookouts: Arc<Lookouts>,
    /// The tasks that end with the app, and not before.
    pub(super) tasks: Mutex<Vec<(QueueName, AbortHandle)>>,
    pub(super) phase: watch::Sender<Phase>,
}

impl Running {
    pub(crate) fn dead_letters(&self) -> DeadLetters {
        DeadLetters::new(Arc::clone(&self.hub.transport), &self.plan, self.hub.settings.prefix.clone())
    }

    pub(crate) fn consumers(&self) -> Vec<(QueueName, Standing)> {
        self.lookouts.all()
    }

    pub(super) fn keep_an_eye_on(&self, queue: &QueueName, task: AbortHandle) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).push((queue.clone(), task));
    }

    /// The queue of a task that has ended although the app goes on.
    pub(super) fn ended_worker(&self) -> Option<QueueName> {
        let tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.iter().find(|(_, task)| task.is_finished()).map(|(queue, _)| queue.clone())
    }

    pub(super) fn look_out(&self, queue: &QueueName, consumer: &dyn Consumer) {
        self.lookouts.keep(queue, consumer);
    }

    pub(crate) fn worker(&self, queue: &Arc<QueueEntry>, layers: &Layers) -> Worker {
        let members =
            queue.members.iter().map(|entry| Member::new(entry, &self.counters_of(entry), layers)).collect();
        Worker::new(Arc::clone(&self.hub), Arc::clone(queue), members, Arc::clone(&self.lookouts))
    }

    pub(super) fn counters_of(&self, entry: &Arc<HandlerEntry>) -> Arc<Counters> {
        let position = self.plan.handlers.iter().position(|other| Arc::ptr_eq(other, entry));
        position.and_then(|position| self.counters.get(position)).cloned().unwrap_or_default()
    }

    pub(crate) fn stats(&self) -> Stats {
        let (published, unroutable) = self.hub.published();
        let handlers = self.plan.handlers.iter().zip(&self.counters);
        let handlers = handlers.map(|(entry, counters)| HandlerStats {
            name: entry.name.clone(),
            kind: entry.kind.as_str(),
            queue: entry.queue.to_string(),
            called: counters.called.get(),
            duplicates: counters.duplicates.get(),
            batches: counters.batches.get(),
            handled: counters.handled.get(),
            failed: counters.failed.get(),
            retried: counters.retried.get(),
            requeued: counters.requeued.get(),
            dead_lettered: counters.dead_lettered.get(),
            filtered: counters.filtered.get(),
            no_context: counters.no_context.get(),
            discarded: counters.discarded.get(),
            expired: counters.expired.get(),
            published: counters.published.get(),
            breaker: counters.breaker.state(),
            breaker_opened: counters.breaker.opened(),
            slot_wait: counters.slot_wait.get(),
            stuck: counters.stuck.get(),
        });
        let commands = self.hub.command_stats();
        let (refused, waited, slowed) = self.hub.pressure.counts();
        let (sessions, handlers) = (self.hub.sessions.stats(), handlers.collect());
        Stats { published, unroutable, refused, waited, slowed, commands, sessions, handlers }
    }

    /// Waits until nothing is queued, in flight or due now.
    pub(crate) async fn settled(&self) -> Result<(), Error> {
        if let Some(broker) = &self.embedded {
            // What is acknowledged early is still in flight when the broker knows nothing of it any more.
            loop {
                broker.settled().await;
                if self.hub.in_flight.is_idle() {
                    return Ok(());
                }
                self.hub.in_flight.idle().await;
            }
        }
        let mut quiet = 0;
        while quiet < QUIET_LOOKS {
            seam::sleep(LOOK_AGAIN).await;
            quiet = if self.is_quiet().await? { quiet + 1 } else { 0 };
        }
        Ok(())
    }

    async fn is_quiet(&self) -> Result<bool, Error> {
        for queue in &self.plan.queues {
            if queue.members.iter().any(|entry| self.counters_of(entry).breaker.is_open()) {
                continue;
            }
            let state = self.hub.transport.inspect(&queue.name).await?;
            if state.is_some_and(|state| state.ready > 0) {
                return Ok(false);
            }
        }
        Ok(self.hub.in_flight.is_idle())
    }
}
