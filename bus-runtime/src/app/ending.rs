//! How a running app ends: within the grace period and a little more, whatever the broker and the handlers do.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::Bus;
use super::running::Running;
use crate::seam;
use crate::topology::naming;
use crate::transport::embedded::{EmbeddedBroker, QueueSnapshot};
use crate::worker::{self, Phase, close_timeout};

/// What was left when an app had drained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Drained {
    /// Messages whose handlers were interrupted; they went back to their queues. Commands that this process sent to itself
    /// are among them: they are in no queue, their senders get an error.
    pub interrupted: usize,
    /// Messages that were still queued on the embedded broker; they are gone.
    pub lost: u64,
    /// Messages that waited on the embedded broker for the end of a delay, those for another attempt included; they are gone.
    pub delayed: u64,
}

impl Drained {
    /// Whether every message that was taken has been handled, and none is gone.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let Self { interrupted, lost, delayed } = *self;
        interrupted == 0 && lost == 0 && delayed == 0
    }

    #[cfg(feature = "cli")]
    pub(crate) fn and_interrupted(mut self, interrupted: usize) -> Self {
        self.interrupted += interrupted;
        self
    }
}

/// How much longer than its handlers a worker may take: for what it closes, with some room. With the default grace period, all
/// of the end is below the 30 s after which Kubernetes and Docker kill.
const WORKER_TIMEOUT: Duration = Duration::from_secs(3);

impl Bus {
    /// Stops to consume, lets the handlers that have begun go on within the grace period, gives everything else back to the
    /// broker, and closes the connections. On the embedded broker, which nobody else will consume, what is queued is handled
    /// within the grace period first; what waits for the end of a delay is not waited for.
    ///
    /// It ends a few seconds after the grace period at the latest, whether the broker answers or not.
    ///
    /// # Cancel safety
    /// When the future is dropped, the handlers that have begun go on in the background, within the grace period; then their
    /// messages go back to their queues.
    pub async fn shutdown(self) -> Drained {
        self.shutdown_or(std::future::pending()).await
    }

    /// Waits until somebody asks this worker to drain: with the command `workers drain`, or at the dashboard. `run()` and
    /// [`App::serve`](super::App::serve) shut down then; a program that starts the bus itself decides what it does. Only while
    /// somebody waits here, such a request is accepted.
    ///
    /// ```no_run
    /// # async fn f() -> Result<(), bus_runtime::Error> {
    /// let bus = bus_runtime::app().start().await?;
    /// bus.drain_requested().await;
    /// bus.shutdown().await;
    /// # Ok(()) }
    /// ```
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub async fn drain_requested(&self) {
        // The app, which has the sender, lives as long as this.
        let _ = self.running.control.drain().wait_for(|asked| *asked).await;
    }

    /// As [`shutdown`](Self::shutdown), but gives everything back at once when `hurry` ends first.
    pub(crate) async fn shutdown_or(self, hurry: impl Future<Output = ()>) -> Drained {
        let running = Arc::clone(&self.running);
        running.begin_to_drain(self.grace);
        let drain = self.drained();
        tokio::pin!(drain);
        tokio::select! {
            biased;
            drained = &mut drain => drained,
            () = hurry => {
                running.hurry();
                drain.await
            }
        }
    }

    /// Waits for the workers, and closes the connections. Says what was left.
    async fn drained(mut self) -> Drained {
        let running = Arc::clone(&self.running);
        if running.embedded.is_some() && !running.plan.queues.is_empty() {
            running.empty().await;
        }
        let interrupted = running.join_all(std::mem::take(&mut self.workers)).await;
        if let Some(due) = self.due.take() {
            // It only forwards; a panic there would have lost nothing.
            running.join(due).await;
        }
        let interrupted = interrupted + running.join_commands().await;
        running.hub.meters.interrupted.add(interrupted);
        running.end_sessions().await;
        for mover in std::mem::take(&mut self.movers) {
            // What was not moved is still where it was.
            running.join(mover).await;
        }
        let (lost, delayed) =
            running.embedded.as_ref().map(|broker| running.left_on(broker)).unwrap_or_default();
        running.hub.finish_shutdown();
        if let Some(member) = self.member.take() {
            // It says good-bye.
            running.join(member).await;
        }
        if running.embedded.is_none() {
            running.hub.transport.close(close_timeout(running.left())).await;
        }
        if let Some(admin) = self.admin.take() {
            admin.close().await;
        }
        #[cfg(feature = "dashboard")]
        running.save_history();
        Drained { interrupted, lost, delayed }
    }
}

impl Running {
    /// Takes no more messages, or only those that nobody else will: what is queued on a broker that ends with the process.
    pub(crate) fn begin_to_drain(&self, grace: Duration) {
        self.hub.begin_shutdown();
        let deadline = seam::now() + grace;
        let next = match self.embedded {
            Some(_) => Phase::Emptying(deadline),
            None => Phase::Draining(deadline),
        };
        self.phase.send_if_modified(|phase| {
            let is_running = *phase == Phase::Running;
            if is_running {
                *phase = next;
            }
            is_running
        });
    }

    /// Saves what handlers did, up to the end.
    #[cfg(feature = "dashboard")]
    fn save_history(&self) {
        self.hub.history.sample(&self.counters);
        self.hub.history.save(&self.plan.handlers);
    }

    /// Takes no more messages, and lets nobody wait for those that are being handled. Does nothing for an app that drains.
    pub(super) fn abandon(&self, grace: Duration) {
        let abandoned = self.phase.send_if_modified(|phase| {
            let is_running = *phase == Phase::Running;
            if is_running {
                *phase = Phase::Draining(seam::now() + grace);
            }
            is_running
        });
        if abandoned {
            self.hub.begin_shutdown();
        }
    }

    /// Takes no more messages, whoever else would.
    #[cfg(feature = "cli")]
    pub(crate) fn stop_taking(&self, grace: Duration) {
        self.hub.begin_shutdown();
        self.phase.send_replace(Phase::Draining(seam::now() + grace));
    }

    /// Interrupts the handlers, now.
    pub(crate) fn hurry(&self) {
        self.phase.send_replace(Phase::Draining(seam::now()));
    }

    /// Lets the workers handle what is queued, within the time that there is, and then end.
    async fn empty(&self) {
        let mut phase = self.phase.subscribe();
        tokio::select! {
            biased;
            _ = self.settled() => {}
            () = worker::time_is_up(&mut phase) => {}
        }
        self.phase.send_modify(|phase| *phase = Phase::Draining(phase.deadline().unwrap_or_else(seam::now)));
    }

    /// How much time the handlers have left.
    fn left(&self) -> Duration {
        let deadline = self.phase.borrow().deadline();
        deadline.map(|deadline| deadline.saturating_duration_since(seam::now())).unwrap_or_default()
    }

    /// Waits for the workers, and says how many messages were interrupted. A worker whose handler blocks it never ends: its
    /// messages go back with the connection.
    async fn join_all(&self, workers: Vec<JoinHandle<usize>>) -> usize {
        let mut interrupted = 0;
        for worker in workers {
            interrupted += self.join(worker).await.unwrap_or(1);
        }
        interrupted
    }

    /// Waits for commands of this process whose senders wait no longer, or are no handlers. Says how many were interrupted.
    async fn join_commands(&self) -> usize {
        let commands = self.hub.locals.in_flight();
        let mut phase = self.phase.subscribe();
        tokio::select! {
            biased;
            () = commands.idle() => {}
            () = worker::time_is_up(&mut phase) => {}
        }
        commands.count()
    }

    /// Ends the sessions that are open still: whatever was published to them is there now.
    async fn end_sessions(&self) {
        let mut phase = self.phase.subscribe();
        let late = async {
            worker::time_is_up(&mut phase).await;
            seam::sleep(WORKER_TIMEOUT).await;
        };
        tokio::select! {
            biased;
            () = self.hub.sessions.end_all() => {}
            () = late => tracing::warn!("a session does not end; its queues go with the connection"),
        }
    }

    /// Waits for a task that ends with the time of the handlers; `None` when it does not, or ended abnormally.
    async fn join<T>(&self, task: JoinHandle<T>) -> Option<T> {
        let mut phase = self.phase.subscribe();
        let late = async {
            worker::time_is_up(&mut phase).await;
            seam::sleep(WORKER_TIMEOUT).await;
        };
        tokio::select! {
            biased;
            ended = task => match ended {
                Ok(value) => Some(value),
                Err(error) => {
                    tracing::error!(%error, "a worker ended abnormally; its messages go back to the queue");
                    None
                }
            },
            () = late => {
                tracing::error!("a worker does not end: a handler blocks its thread; its messages go back to the queue");
                None
            }
        }
    }

    /// Messages that wait on a broker that ends with the process: in the queues of the app, and for the end of a delay.
    fn left_on(&self, broker: &EmbeddedBroker) -> (u64, u64) {
        let own = |queue: &QueueSnapshot| self.plan.queues.iter().any(|other| other.name == queue.name);
        let queues = broker.queues();
        let ready = |queues: &mut dyn Iterator<Item = &QueueSnapshot>| queues.map(|queue| queue.ready).sum();
        let lost = ready(&mut queues.iter().filter(|queue| own(queue)));
        (lost, ready(&mut queues.iter().filter(|queue| naming::holds_delayed(&queue.name))))
    }
}
