//! Sessions: handlers that are there for one piece of work, and hear only of its messages.

mod core;
mod events;
mod plan;
mod registry;
mod turns;
mod way;

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

pub(crate) use core::SessionCore;
pub use events::{SessionEnded, SessionStarted};
pub(crate) use registry::Sessions;
pub(crate) use way::{copy_as_said, copy_to, copy_when_due, is_last, key};

use crate::error::{Error, ErrorKind};
use crate::hub::Hub;
use crate::message::{Command, Event, Message};
use crate::outcome::{IntoHandlerError, IntoOutcome};
use crate::publish::Publisher;
use crate::scope::{CURRENT, Scope};
use crate::seam;

/// A scope for handlers that are there for one piece of work: from [`Publisher::session`].
///
/// What is published through it is a message of the session, and so is what handlers publish while they handle a message of it, in
/// this process and in others. Its handlers hear of no other message.
///
/// - A handler of an event is called after the handlers of the bus in this process, and with one event after another. Where other
///   processes have those handlers too, the two may be called side by side.
/// - The handler of a command wins over that of the bus, in every process. A session has one for each command.
/// - A handler is called once for each message. What it fails with is logged, counted ([`Stats::sessions`](crate::Stats)), told to
///   [`HandlerFailed`](crate::HandlerFailed), and for a command it is the answer. Nothing is tried again, and there are no dead
///   letters. What waits for it when the connection is lost is gone; it hears again of what comes after that.
///
/// A session ends with [`end`](Self::end), when it is dropped (with the function that it was a variable of, whether that returns,
/// fails or panics), and when the bus shuts down. Its handlers and its queues are gone then; using it, by a publisher of it, is an
/// error of kind [`SessionEnded`](ErrorKind::SessionEnded).
///
/// ```
/// use bus_runtime::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Message)]
/// #[command("price.ask", reply = u64)]
/// struct AskPrice { item: String }
///
/// # #[tokio::main] async fn main() -> Result<(), bus_runtime::Error> {
/// let bus = bus_runtime::app().without_handlers().start().await?;
/// let session = bus.session("cart-7").await?;
/// session.on_command(|ask: AskPrice| async move { Ok::<_, BoxError>(ask.item.len() as u64) }).await?;
/// assert_eq!(session.execute(AskPrice { item: "tea".into() }).await?, 3);
/// session.end().await;
/// # bus.shutdown().await;
/// # Ok(()) }
/// ```
#[must_use = "a session ends when it is dropped"]
pub struct Session {
    core: Arc<SessionCore>,
    publisher: Publisher,
}

impl Session {
    pub(crate) async fn open(hub: Arc<Hub>, id: String, parent: Option<&Scope>) -> Result<Self, Error> {
        if *hub.shutdown_finished().borrow() {
            return Err(Error::new(ErrorKind::Closed, "the bus was shut down: there are no more sessions"));
        }
        let core = SessionCore::open(hub, id, parent)?;
        let session = Self { publisher: Publisher::of_session(&core), core };
        session.publish(&SessionStarted { session_id: session.id().to_owned() }).await?;
        Ok(session)
    }

    /// What it is called.
    #[must_use]
    pub fn id(&self) -> &str {
        self.core.id()
    }

    /// A handle to publish messages of the session with, which can be cloned. It does not keep the session open.
    #[must_use]
    pub fn publisher(&self) -> Publisher {
        self.publisher.clone()
    }

    /// Calls this for each event of the session, one after another, from now until the session ends. Several handlers of one event
    /// each hear of it.
    ///
    /// # Errors
    /// [`SessionEnded`](ErrorKind::SessionEnded) when the bus was shut down, and what the broker says.
    ///
    /// # Cancel safety
    /// When the future is dropped, the handler may be there or not.
    pub async fn on<E, F, Fut>(&self, handler: F) -> Result<(), Error>
    where
        E: Message<Kind = Event>,
        F: Fn(E) -> Fut + Send + Sync + 'static,
        Fut: Future + Send + 'static,
        Fut::Output: IntoOutcome,
    {
        let planned = plan::plan(&self.core, handler)?;
        self.add(planned).await
    }

    /// Lets this answer a command that is executed in the session, instead of the handler that the bus has for it.
    ///
    /// # Errors
    /// [`DuplicateHandler`](ErrorKind::DuplicateHandler) when a session of this id has a handler of it, here or in another process;
    /// [`SessionEnded`](ErrorKind::SessionEnded) when the bus was shut down, and what the broker says.
    ///
    /// # Cancel safety
    /// When the future is dropped, the handler may be there or not.
    pub async fn on_command<C, R, E, F, Fut>(&self, handler: F) -> Result<(), Error>
    where
        C: Message<Kind = Command<R>>,
        R: serde::Serialize + 'static,
        E: IntoHandlerError,
        F: Fn(C) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, E>> + Send + 'static,
    {
        let planned = plan::plan(&self.core, handler)?;
        self.add(planned).await
    }

    /// In a task of its own: when the caller is gone, there is no queue without an owner.
    async fn add(&self, planned: plan::Planned) -> Result<(), Error> {
        let added = seam::spawn("handler of a session", Arc::clone(&self.core).add(planned));
        added.await.unwrap_or_else(|error| {
            Err(Error::new(ErrorKind::Closed, "the runtime has ended").with_source(error))
        })
    }

    /// Ends the session in order: its handlers have what was published through it before, hear of [`SessionEnded`], and are gone.
    /// That takes 25 s at most; what is not done then is interrupted.
    ///
    /// In a handler of one of its messages it does not wait: the session ends when that handler has ended.
    ///
    /// # Cancel safety
    /// Safe to cancel: the session ends nevertheless, as when it is dropped if it has not begun to end.
    pub async fn end(self) {
        self.core.begin_to_end();
        let inside = CURRENT.try_with(|scope| scope.session() == Some(self.id())).unwrap_or_default();
        if !inside {
            self.core.ended().await;
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.core.drop_handlers();
    }
}

impl Deref for Session {
    type Target = Publisher;

    fn deref(&self) -> &Publisher {
        &self.publisher
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}
