//! What surrounds one call of a handler: the app, the handler's entry, and what it has published so far.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures_util::future::join_all;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::delivery::{Delivery, Metadata};
use crate::envelope::{Envelope, Text, header};
use crate::error::{Error, ErrorKind};
use crate::extract::{Context, StateMap};
use crate::hub::Hub;
use crate::instances::Instance;
use crate::publish::Draft;
use crate::right::Right;
use crate::shutdown::Shutdown;
use crate::topology::HandlerEntry;

/// How many messages one call of a handler may hold back until it succeeds; they live in memory.
const STAGED_MAX: usize = 10_000;

tokio::task_local! {
    /// The call that the current task is part of, for `message.publish()`.
    pub(crate) static CURRENT: Arc<Scope>;
}

/// What surrounds one call of a handler.
pub(crate) struct Scope {
    pub(crate) hub: Arc<Hub>,
    entry: Arc<HandlerEntry>,
    metadata: Metadata,
    instance: Option<Called>,
    /// How many commands of this process wait for this call.
    depth: u16,
    stage: Mutex<Stage>,
    right: Arc<Right>,
    /// Held by who acknowledges early: of two at once, one waits for what the other sends.
    acknowledging: tokio::sync::Mutex<()>,
    /// Whose permit is taken for as long as a plain function runs.
    blocking: OnceLock<Arc<Semaphore>>,
    interrupted: AtomicBool,
}

/// The instance that a method is called for.
struct Called {
    instance: Instance,
    /// Tells the messages that it publishes from those of the others: its key, or its position among all.
    name: String,
}

/// What a handler has published; it is sent when the handler has succeeded, or before it acknowledges its message.
enum Stage {
    Open(Open),
    Closed,
}

/// The stage of a call that has not ended.
#[derive(Default)]
struct Open {
    drafts: Vec<Draft>,
    /// Messages that were sent before the drafts.
    sent: usize,
    acknowledged: bool,
}

/// What a call leaves behind.
#[derive(Default)]
pub(crate) struct Closed {
    /// What it published and is not sent yet.
    pub(crate) drafts: Vec<Draft>,
    /// Messages that were sent before it ended.
    pub(crate) sent: usize,
    /// Its message is done with, whatever its outcome is.
    pub(crate) acknowledged: bool,
}

impl Scope {
    pub(crate) fn new(
        hub: Arc<Hub>,
        entry: Arc<HandlerEntry>,
        metadata: Metadata,
        right: Arc<Right>,
    ) -> Self {
        Self {
            hub,
            entry,
            metadata,
            instance: None,
            depth: 0,
            stage: Mutex::new(Stage::Open(Open::default())),
            right,
            acknowledging: Default::default(),
            blocking: OnceLock::new(),
            interrupted: AtomicBool::new(false),
        }
    }

    /// The call of a handler with many messages. What it publishes inherits what all of them have.
    pub(crate) fn of_batch(first: &Self, deliveries: &[Delivery]) -> Self {
        let metadata = of_all(&first.metadata, deliveries);
        Self::new(Arc::clone(&first.hub), Arc::clone(&first.entry), metadata, Arc::clone(&first.right))
    }

    /// The open session that its message is of.
    pub(crate) fn session(&self) -> Option<&str> {
        self.metadata.headers().text(header::SESSION)
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The connection was lost while something was sent that the message must not be acknowledged before.
    pub(crate) fn interrupt(&self) {
        self.interrupted.store(true, Ordering::Release);
    }

    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Acquire)
    }

    /// The call of a method for one of the instances that were found.
    pub(crate) fn for_instance(mut self, instance: Instance, position: usize) -> Self {
        let name = instance.key.clone().unwrap_or_else(|| position.to_string());
        self.instance = Some(Called { instance, name });
        self
    }

    /// The call of a command for which others of this process wait.
    pub(crate) fn nested(self, depth: u16) -> Self {
        Self { depth, ..self }
    }

    pub(crate) fn depth(&self) -> u16 {
        self.depth
    }

    /// For the thread of a plain function to hold until it returns.
    pub(crate) fn hold(&self) -> Option<OwnedSemaphorePermit> {
        let one = self.blocking.get_or_init(|| Arc::new(Semaphore::new(1)));
        Arc::clone(one).try_acquire_owned().ok()
    }

    /// What has a permit again when the plain function has returned; `None` when it has, or never began.
    pub(crate) fn goes_on(&self) -> Option<Arc<Semaphore>> {
        self.blocking.get().filter(|one| one.available_permits() == 0).map(Arc::clone)
    }

    pub(crate) fn instance(&self) -> Option<&Instance> {
        self.instance.as_ref().map(|called| &called.instance)
    }

    pub(crate) fn state<T: Send + Sync + 'static>(&self) -> Option<Arc<T>> {
        self.hub.state.get()
    }

    pub(crate) fn all_state(&self) -> &StateMap {
        &self.hub.state
    }

    pub(crate) fn shutdown(&self) -> Shutdown {
        self.hub.shutdown()
    }

    pub(crate) fn handler_name(&self) -> &str {
        &self.entry.name
    }

    /// The word of a routing key that `{name}` of the handler's binding keys stands for.
    pub(crate) fn capture<'k>(&self, name: &str, routing_key: &'k str) -> Option<&'k str> {
        self.entry.capture(name, routing_key)
    }

    /// Holds a message back until the handler has succeeded.
    pub(crate) fn stage(&self, mut draft: Draft) -> Result<(), Error> {
        let mut stage = self.locked();
        let Stage::Open(Open { drafts, sent, .. }) = &mut *stage else { return Err(self.finished()) };
        if drafts.len() >= STAGED_MAX {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("{} has published {STAGED_MAX} messages in one call", self.entry.name),
            )
            .with_help(
                "`publish_now` sends at once instead of holding messages until the handler succeeds",
            ));
        }
        if !draft.has_own_id {
            draft.envelope.properties.message_id = Some(self.derived_id(*sent + drafts.len()));
        }
        drafts.push(draft);
        Ok(())
    }

    /// Ends the call and gives out what it published.
    pub(crate) fn close(&self) -> Closed {
        match std::mem::replace(&mut *self.locked(), Stage::Closed) {
            Stage::Open(Open { drafts, sent, acknowledged }) => Closed { drafts, sent, acknowledged },
            Stage::Closed => Closed::default(),
        }
    }

    /// Sends what is published so far, and acknowledges the message.
    pub(crate) async fn acknowledge(&self) -> Result<(), Error> {
        let _one_at_a_time = self.acknowledging.lock().await;
        let drafts = match &*self.locked() {
            Stage::Open(open) => open.drafts.clone(),
            Stage::Closed => return Err(self.finished()),
        };
        let count = drafts.len();
        for sent in join_all(drafts.into_iter().map(|draft| self.hub.send_draft(draft))).await {
            sent?;
        }
        let mut stage = self.locked();
        let Stage::Open(open) = &mut *stage else { return Err(self.finished()) };
        // What was published meanwhile stands behind them.
        open.drafts.drain(..count);
        open.sent += count;
        if open.acknowledged {
            return Ok(());
        }
        open.acknowledged = true;
        self.right.acknowledge()
    }

    fn locked(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A closed scope refuses what a task that outlived its handler still publishes.
    pub(crate) fn check_open(&self) -> Result<(), Error> {
        match *self.locked() {
            Stage::Open(_) => Ok(()),
            Stage::Closed => Err(self.finished()),
        }
    }

    fn finished(&self) -> Error {
        Error::new(
            ErrorKind::HandlerFinished,
            format!("{} has ended; what it publishes now would belong to no message", self.entry.name),
        )
        .with_help("publish before the handler returns, or give the task a `Bus` of its own")
    }

    /// An id that is the same when the message is handled again: of the handled message, the handler, its instance and the
    /// position.
    fn derived_id(&self, position: usize) -> Text {
        let Some(parent) = self.metadata.message_id() else { return Text::Owned(crate::seam::message_id()) };
        let instance = self.instance.as_ref().map(|called| format!("/{}", called.name)).unwrap_or_default();
        let name = format!("{parent}/{}{instance}/{position}", self.entry.name);
        Text::Owned(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, name.as_bytes()).to_string())
    }

    /// Hands on what ties messages together: context, trace and correlation. What the draft says itself wins.
    pub(crate) fn inherit(&self, envelope: &mut Envelope) {
        let parent = self.metadata.headers();
        let context = Context::of(&self.metadata.envelope);
        // Whoever says which trace it is says all of it.
        let follows =
            self.hub.traces.propagates_context && envelope.headers.get(header::TRACEPARENT).is_none();
        let trace = |name| parent.text(name).filter(|_| follows);
        let parts = [
            (header::PROJECT_ID, context.project_id()),
            (header::MOUNT_POINT, context.mount_point()),
            (header::USER_ID, context.user_id()),
            (header::SESSION_ID, context.session_id()),
            (header::SESSION, parent.text(header::SESSION)),
            (header::AFTER_FAILURE, parent.text(header::AFTER_FAILURE)),
            (header::AFTER_COMMAND, parent.text(header::AFTER_COMMAND)),
            (header::SETTLE, parent.text(header::SETTLE)),
            (header::TRACEPARENT, trace(header::TRACEPARENT)),
            (header::TRACESTATE, trace(header::TRACESTATE)),
            (header::BAGGAGE, parent.text(header::BAGGAGE).filter(|_| self.hub.traces.propagates_baggage)),
        ];
        for (name, value) in parts {
            if let (Some(value), None) = (value, envelope.headers.get(name)) {
                envelope.headers.set(name, value.to_owned());
            }
        }
        if envelope.properties.correlation_id.is_none() {
            let conversation = self.metadata.correlation_id().or(self.metadata.message_id());
            envelope.properties.correlation_id = conversation.map(|id| Text::Owned(id.to_owned()));
        }
    }
}

/// What stands for all messages of a batch: without a body, with the headers of context and trace that they agree on, and with
/// an id that is the same when the same messages come again.
fn of_all(first: &Metadata, deliveries: &[Delivery]) -> Metadata {
    const SHARED: [&str; 8] = [
        header::PROJECT_ID,
        header::MOUNT_POINT,
        header::USER_ID,
        header::SESSION_ID,
        header::SESSION,
        header::TRACEPARENT,
        header::TRACESTATE,
        header::BAGGAGE,
    ];
    let all = |same: &dyn Fn(&Metadata) -> bool| deliveries.iter().all(|delivery| same(delivery.metadata()));
    let mut envelope = Envelope::new(first.exchange.clone(), first.routing_key.clone(), "");
    for name in SHARED {
        if let Some(value) = first.headers().text(name)
            && all(&|metadata| metadata.headers().text(name) == Some(value))
        {
            envelope.headers.set(name, value.to_owned());
        }
    }
    let conversation = first.correlation_id();
    if all(&|metadata| metadata.correlation_id() == conversation) {
        envelope.properties.correlation_id = conversation.map(|id| Text::Owned(id.to_owned()));
    }
    let ids: Option<Vec<_>> = deliveries.iter().map(|delivery| delivery.metadata().message_id()).collect();
    envelope.properties.message_id = ids.map(|ids| {
        let ids = ids.join("/");
        Text::Owned(uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, ids.as_bytes()).to_string())
    });
    Metadata { envelope: Arc::new(envelope), ..first.clone() }
}
