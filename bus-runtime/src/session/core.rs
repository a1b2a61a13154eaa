//! A session from its first message to its last: what its handle, its publishers and its keeper share.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::events::SessionEnded;
use super::plan::Planned;
use super::way;
use crate::envelope::{Envelope, Headers, Text, header};
use crate::error::{Error, ErrorKind};
use crate::hub::Hub;
use crate::message::MessageKind;
use crate::names::{ExchangeName, QueueName, RoutingKey};
use crate::publish::Publisher;
use crate::scope::Scope;
use crate::seam;
use crate::topology::{PlanSettings, QueueEntry};
use crate::worker::{self, Member, Phase, Worker};

/// How long a session takes at most to end: the handlers that have begun, and what waits for them. As the grace period of an app.
const END_MAX: Duration = Duration::from_secs(25);
/// How much longer a worker may take to close: one whose handler blocks its thread never ends.
const WORKER_MAX: Duration = Duration::from_secs(3);
/// How long it may take to tell that a session has ended.
const TELL_MAX: Duration = Duration::from_secs(5);
/// The longest id: that of a text in a property of AMQP.
const ID_MAX: usize = 255;

/// How far a session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Open,
    /// Its handlers still get what has been sent to them.
    Ending,
    /// Its handlers get nothing more.
    Dropped,
    Ended,
}

impl Stage {
    /// Ends a session that is open, in order.
    pub(super) fn begin_to_end(stage: &watch::Sender<Self>) {
        Self::leave_open(stage, Self::Ending);
    }

    fn leave_open(stage: &watch::Sender<Self>, next: Self) -> bool {
        stage.send_if_modified(|stage| {
            let was_open = *stage == Self::Open;
            if was_open {
                *stage = next;
            }
            was_open
        })
    }

    /// Waits until the session is open no more.
    pub(super) async fn ends(stage: &mut watch::Receiver<Self>) {
        // Who has gone without a word has ended.
        let _ = stage.wait_for(|stage| *stage != Self::Open).await;
    }
}

/// What the handle of a session, its publishers and its keeper share.
pub(crate) struct SessionCore {
    hub: Arc<Hub>,
    id: String,
    number: u64,
    /// What messages of the session inherit from the one in whose handler it was opened.
    inherited: Headers,
    correlation_id: Option<Text>,
    stage: watch::Sender<Stage>,
    /// What the workers of its handlers are told.
    phase: watch::Sender<Phase>,
    handlers: Mutex<Vec<Handler>>,
}

/// A handler that is consuming.
struct Handler {
    queue: QueueName,
    worker: JoinHandle<usize>,
    at_its_end: Arc<Notify>,
}

impl SessionCore {
    /// A session that is open, and what keeps it.
    pub(super) fn open(hub: Arc<Hub>, id: String, parent: Option<&Scope>) -> Result<Arc<Self>, Error> {
        if id.is_empty() || id.len() > ID_MAX {
            let text = format!("the id of a session has 1 to {ID_MAX} bytes, and this one {}", id.len());
            return Err(Error::new(ErrorKind::InvalidName, text));
        }
        let mut first = Envelope::new(ExchangeName::default_exchange(), RoutingKey::new("")?, "");
        if let Some(parent) = parent {
            parent.inherit(&mut first);
        }
        // Whoever waits for the handler that opens it does not wait for the session.
        first.headers.remove(header::SETTLE);
        let stage = watch::Sender::new(Stage::Open);
        let core = Self {
            number: hub.sessions.open(&stage)?,
            hub,
            id,
            inherited: first.headers,
            correlation_id: first.properties.correlation_id,
            stage,
            phase: watch::Sender::new(Phase::Running),
            handlers: Mutex::default(),
        };
        let core = Arc::new(core);
        seam::spawn("session", keep(Arc::clone(&core)));
        Ok(core)
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn settings(&self) -> &PlanSettings {
        &self.hub.settings
    }

    pub(super) fn stage(&self) -> watch::Receiver<Stage> {
        self.stage.subscribe()
    }

    /// The way out for its messages, while it is open.
    ///
    /// # Errors
    /// [`SessionEnded`](ErrorKind::SessionEnded).
    pub(crate) fn hub(&self) -> Result<Arc<Hub>, Error> {
        if *self.stage.borrow() == Stage::Open {
            return Ok(Arc::clone(&self.hub));
        }
        let text =
            format!("session `{}` has ended; what is published through it would belong to nothing", self.id);
        Err(Error::new(ErrorKind::SessionEnded, text).with_help(
            "publish before `end()`, keep the `Session` for as long as it is needed, or use the `Bus`",
        ))
    }

    /// Makes a message one of the session.
    pub(crate) fn inherit(&self, envelope: &mut Envelope) {
        for (name, value) in self.inherited.iter() {
            envelope.headers.set(name.to_owned(), value.clone());
        }
        envelope.headers.set(header::SESSION_ID, self.id.clone());
        envelope.headers.set(header::SESSION, self.id.clone());
        envelope.properties.correlation_id.clone_from(&self.correlation_id);
    }

    pub(super) fn has_one_already(&self, queue: &QueueEntry) -> Error {
        let entry = queue.members.first();
        let topic = entry.and_then(|entry| entry.message).map_or("", |message| message.topic);
        let text = format!("session `{}` has a handler of the command `{topic}` already", self.id);
        Error::new(ErrorKind::DuplicateHandler, text)
            .with_help("a command has one handler; sessions with one id are one session, in all processes")
    }

    /// Lets a handler hear of the session's messages.
    pub(super) async fn add(self: Arc<Self>, planned: Planned) -> Result<(), Error> {
        self.hub()?;
        let queue = Arc::clone(&planned.queue);
        let is_command = planned.is_of == MessageKind::Command;
        if is_command {
            self.hub.sessions.reserve(&self, &queue)?;
        }
        let added = self.consume(planned).await;
        if added.is_err() {
            self.hub.sessions.remove(&queue.name);
        }
        added.map_err(|error| match error.kind() {
            ErrorKind::ExclusiveQueue if is_command => self.has_one_already(&queue).with_source(error),
            _ => error,
        })
    }

    async fn consume(&self, planned: Planned) -> Result<(), Error> {
        let Planned { queue, topology, is_of } = planned;
        let hub = &self.hub;
        hub.transport.declare(&topology).await?;
        let members =
            queue.members.iter().map(|entry| Member::new(entry, &hub.sessions.counters, &hub.layers));
        let members = members.collect();
        let mut worker = Worker::new(Arc::clone(hub), Arc::clone(&queue), members, Arc::default());
        let consumer = match worker.start_to_consume().await {
            Ok(consumer) => consumer,
            Err(error) => {
                self.delete(&queue.name).await;
                return Err(error);
            }
        };
        let local = worker.locals().next().filter(|_| is_of == MessageKind::Command);
        let at_its_end = hub.sessions.add(self, &queue.name, local);
        hub.settling.handles_too(&queue);
        let worker = worker::start(worker, consumer, self.phase.subscribe());
        let handler = Handler { queue: queue.name.clone(), worker, at_its_end };
        let too_late = {
            let mut handlers = self.lock();
            // The keeper takes the handlers when this is so, and looks no more.
            match self.hub() {
                Ok(_) => {
                    handlers.push(handler);
                    return Ok(());
                }
                Err(error) => (handler, error),
            }
        };
        let (handler, error) = too_late;
        self.stop_to_take(seam::now());
        self.close_one(handler).await;
        Err(error)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Handler>> {
        self.handlers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for the end, and gives handlers that have begun their time; nothing begins any more.
    pub(super) fn drop_handlers(&self) {
        if Stage::leave_open(&self.stage, Stage::Dropped) {
            self.stop_to_take(seam::now() + END_MAX);
        }
    }

    /// Asks for the end, in order.
    pub(super) fn begin_to_end(&self) {
        Stage::begin_to_end(&self.stage);
    }

    fn stop_to_take(&self, deadline: Instant) {
        self.phase.send_if_modified(|phase| {
            let was_running = *phase == Phase::Running;
            if was_running {
                *phase = Phase::Draining(deadline);
            }
            was_running
        });
    }

    /// Tells that it has ended, lets the handlers have what was sent to them before if it ends in order, and takes away all that it
    /// has on the broker.
    async fn end(&self) {
        let deadline = seam::now() + END_MAX;
        let handlers = std::mem::take(&mut *self.lock());
        handlers.iter().for_each(|handler| self.hub.sessions.withdraw(&handler.queue));
        self.tell().await;
        if *self.stage.borrow() == Stage::Ending {
            let all = handlers.iter().map(|handler| self.come_to_the_end(handler));
            if tokio::time::timeout_at(deadline, join_all(all)).await.is_err() {
                tracing::warn!(session = %self.id, "handlers of a session are not done with its messages; they are interrupted");
            }
        }
        self.stop_to_take(deadline);
        join_all(handlers.into_iter().map(|handler| self.close_one(handler))).await;
    }

    async fn tell(&self) {
        let ended = SessionEnded { session_id: self.id.clone() };
        let told = Publisher::direct(&self.hub)
            .publish(&ended)
            .header(header::SESSION_ID, self.id.clone())
            .header(header::SESSION, self.id.clone());
        match tokio::time::timeout(TELL_MAX, told.into_future()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(session = %self.id, %error, "nobody is told that a session has ended");
            }
            Err(_) => {
                tracing::warn!(session = %self.id, "nobody is told that a session has ended: the broker does not answer");
            }
        }
    }

    /// Waits until a handler has had everything that was sent to it until now.
    async fn come_to_the_end(&self, handler: &Handler) {
        let Some(last) = way::last(&handler.queue) else { return };
        if let Err(error) = self.hub.send(Arc::new(last)).await {
            // With the connection the queue is gone, and what was in it.
            tracing::debug!(session = %self.id, %error, "what waits for a handler of a session cannot be awaited");
            return;
        }
        handler.at_its_end.notified().await;
    }

    async fn close_one(&self, handler: Handler) {
        let Handler { queue, worker, at_its_end: _ } = handler;
        let abort = worker.abort_handle();
        let until = self.phase.borrow().deadline().unwrap_or_else(seam::now) + WORKER_MAX;
        match tokio::time::timeout_at(until, worker).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                tracing::error!(session = %self.id, %error, "a worker of a session ended abnormally");
            }
            Err(_) => abort.abort(),
        }
        self.delete(&queue).await;
        self.hub.settling.handles_no_more(&queue);
        self.hub.sessions.remove(&queue);
    }

    async fn delete(&self, queue: &QueueName) {
        if let Err(error) = self.hub.transport.delete_queue(queue).await {
            // It is exclusive: without the connection it is gone.
            tracing::debug!(session = %self.id, %queue, %error, "the queue of a session goes with the connection");
        }
    }
}

/// Ends a session when it is asked to, whoever has gone meanwhile.
async fn keep(session: Arc<SessionCore>) {
    Stage::ends(&mut session.stage()).await;
    session.end().await;
    session.hub.sessions.close(session.number);
    session.stage.send_replace(Stage::Ended);
}

impl SessionCore {
    /// Waits until nothing of it is left.
    ///
    /// # Cancel safety
    /// Safe to cancel: it ends nevertheless.
    pub(super) async fn ended(&self) {
        // Its keeper is gone only with the runtime.
        let _ = self.stage().wait_for(|stage| *stage == Stage::Ended).await;
    }
}

impl fmt::Debug for SessionCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("id", &self.id)
            .field("stage", &*self.stage.borrow())
            .finish_non_exhaustive()
    }
}
