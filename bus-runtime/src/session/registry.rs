//! What a process knows of its sessions: which are open, which handlers they have, and whose turn it is.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};

use super::core::{SessionCore, Stage};
use super::turns::{Passing, Step, Turns};
use crate::arrival::Arrival;
use crate::counters::{Counter, Counters, SessionStats};
use crate::envelope::header;
use crate::error::{Error, ErrorKind};
use crate::hub::Hub;
use crate::names::QueueName;
use crate::topology::QueueEntry;
use crate::worker::LocalHandler;

/// The sessions of a process.
#[derive(Default)]
pub(crate) struct Sessions {
    inner: Mutex<Inner>,
    /// The handlers of all sessions. While there is none, messages are handled without a look at sessions.
    handlers: AtomicUsize,
    /// Told when a session is open no more.
    changed: Notify,
    opened: Counter,
    /// Of all handlers of sessions together: there may be very many, and none for long.
    pub(super) counters: Arc<Counters>,
}

#[derive(Default)]
struct Inner {
    is_closed: bool,
    next: u64,
    open: HashMap<u64, watch::Sender<Stage>>,
    handlers: HashMap<QueueName, Handler>,
    /// The handlers of commands; `None` is one that is being declared.
    commands: HashMap<QueueName, Option<LocalHandler>>,
    /// How far messages are, by session.
    turns: HashMap<String, Arc<Turns>>,
}

/// A handler of a session.
struct Handler {
    session: String,
    stage: watch::Receiver<Stage>,
    turns: Arc<Turns>,
    at_its_end: Arc<Notify>,
}

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session is open from now on. Gives its number.
    ///
    /// # Errors
    /// [`Closed`](ErrorKind::Closed) when all have been ended.
    pub(super) fn open(&self, stage: &watch::Sender<Stage>) -> Result<u64, Error> {
        let mut inner = self.lock();
        if inner.is_closed {
            return Err(Error::new(ErrorKind::Closed, "the bus was shut down: there are no more sessions"));
        }
        let number = inner.next;
        inner.next += 1;
        inner.open.insert(number, stage.clone());
        self.opened.add_one();
        Ok(number)
    }

    /// A session is open no more.
    pub(super) fn close(&self, number: u64) {
        self.lock().open.remove(&number);
        self.changed.notify_waiters();
    }

    /// Ends all sessions, and lets none begin.
    ///
    /// # Cancel safety
    /// When it is dropped, they end nevertheless.
    pub(crate) async fn end_all(&self) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            {
                let mut inner = self.lock();
                inner.is_closed = true;
                if inner.open.is_empty() {
                    return;
                }
                inner.open.values().for_each(Stage::begin_to_end);
            }
            changed.await;
        }
    }

    /// Makes sure that a session has one handler for a command.
    ///
    /// # Errors
    /// [`DuplicateHandler`](ErrorKind::DuplicateHandler).
    pub(super) fn reserve(&self, session: &SessionCore, queue: &QueueEntry) -> Result<(), Error> {
        let mut inner = self.lock();
        if inner.commands.contains_key(&queue.name) {
            return Err(session.has_one_already(queue));
        }
        inner.commands.insert(queue.name.clone(), None);
        Ok(())
    }

    /// A handler is there from now on. Gives what is told when its last message has come.
    pub(super) fn add(
        &self,
        session: &SessionCore,
        queue: &QueueName,
        local: Option<LocalHandler>,
    ) -> Arc<Notify> {
        let mut inner = self.lock();
        let id = session.id().to_owned();
        let turns = Arc::clone(inner.turns.entry(id.clone()).or_default());
        let at_its_end = Arc::new(Notify::new());
        let handler =
            Handler { session: id, stage: session.stage(), turns, at_its_end: Arc::clone(&at_its_end) };
        inner.handlers.insert(queue.clone(), handler);
        if local.is_some() {
            inner.commands.insert(queue.clone(), local);
        }
        self.handlers.store(inner.handlers.len(), Ordering::Release);
        at_its_end
    }

    /// A handler is there no more.
    pub(super) fn remove(&self, queue: &QueueName) {
        let mut inner = self.lock();
        inner.commands.remove(queue);
        if let Some(Handler { session, .. }) = inner.handlers.remove(queue)
            && !inner.handlers.values().any(|other| other.session == session)
        {
            inner.turns.remove(&session);
        }
        self.handlers.store(inner.handlers.len(), Ordering::Release);
    }

    /// A command goes to its session no more.
    pub(super) fn withdraw(&self, queue: &QueueName) {
        if let Some(local) = self.lock().commands.get_mut(queue) {
            *local = None;
        }
    }

    /// The handler of a command that a session has in this process.
    pub(crate) fn command(&self, queue: &QueueName) -> Option<LocalHandler> {
        self.lock().commands.get(queue).cloned().flatten()
    }

    /// The last message has come to a handler.
    pub(crate) fn has_come_to_its_end(&self, queue: &QueueName) {
        if let Some(handler) = self.lock().handlers.get(queue) {
            handler.at_its_end.notify_one();
        }
    }

    /// A message is with handlers of the bus for as long as this lives; `None` when no handler of a session waits for that.
    pub(crate) fn passing(&self, queue: &QueueEntry, arrival: &Arrival) -> Option<Passing> {
        if queue.session.is_some() || self.handlers.load(Ordering::Acquire) == 0 {
            return None;
        }
        let session = arrival.metadata.headers().text(header::SESSION)?;
        let message_id = arrival.metadata.message_id()?.to_owned();
        let turns = self.lock().turns.get(session).map(Arc::clone)?;
        Some(turns.begin(Step { message_id, queue: queue.name.clone() }))
    }

    /// Waits until the handlers of the bus in this process are done with a message that has come to a handler of a session.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub(crate) async fn turn(&self, hub: &Hub, arrival: &Arrival) {
        let metadata = &arrival.metadata;
        let Some(message_id) = metadata.message_id() else { return };
        if metadata.envelope.exchange.is_default() {
            // It has come back, or it is a command: for this handler alone.
            return;
        }
        let found = self
            .lock()
            .handlers
            .get(metadata.queue())
            .map(|handler| (Arc::clone(&handler.turns), handler.stage.clone()));
        let Some((turns, mut stage)) = found else { return };
        let others = async {
            for queue in hub.settling.reached(&metadata.envelope) {
                turns.wait(hub, &Step { message_id: message_id.to_owned(), queue }).await;
            }
        };
        tokio::select! {
            biased;
            // Whoever ends the session may be one of those that are waited for.
            () = Stage::ends(&mut stage) => {}
            () = others => {}
        }
    }

    pub(crate) fn stats(&self) -> SessionStats {
        let open = self.lock().open.len();
        SessionStats {
            opened: self.opened.get(),
            open: open as u64,
            handlers: self.handlers.load(Ordering::Acquire) as u64,
            called: self.counters.called.get(),
            handled: self.counters.handled.get(),
            failed: self.counters.failed.get(),
        }
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions").field("stats", &self.stats()).finish()
    }
}
