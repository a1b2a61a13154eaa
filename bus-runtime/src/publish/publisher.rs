//! The handle that publishes.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use bytes::Bytes;
use serde::Serialize;

use super::draft::{Draft, Importance, Publish, Via};
use crate::command::Execute;
use crate::envelope::{Envelope, Text, header};
use crate::error::{Error, ErrorKind};
use crate::hub::Hub;
#[cfg(feature = "cli")]
use crate::message::MessageType;
use crate::message::{Command, Kind, Message, MessageKind, Publishable};
use crate::names::{ExchangeName, RoutingKey};
use crate::observe::SentAs;
use crate::scope::{CURRENT, Scope};
use crate::session::{Session, SessionCore};

/// The app that `run()` has started, for `message.publish()` outside of handlers.
static PROCESS_WIDE: OnceLock<Weak<Hub>> = OnceLock::new();

/// The content type of what is encoded by serde.
const JSON: &str = "application/json";

/// Publishes messages. A cheap handle: clone it as you like.
///
/// As an argument of a handler, it holds messages back until the handler has succeeded and sends them before the handler's
/// message is acknowledged; a handler that fails sends nothing. From [`Bus`](crate::Bus) it sends at once.
///
/// Messages are persistent, mandatory and confirmed, with a UUID v7 as id.
#[derive(Clone)]
pub struct Publisher(Via);

impl Publisher {
    pub(crate) fn of(scope: &Arc<Scope>) -> Self {
        Self(Via::Scope(Arc::clone(scope)))
    }

    pub(crate) fn direct(hub: &Arc<Hub>) -> Self {
        Self(Via::Hub(Arc::clone(hub)))
    }

    /// Publishes an event or a task under its own topic.
    ///
    /// # Errors
    /// (when awaited) [`Unroutable`](ErrorKind::Unroutable) for a task that no queue takes, [`Nacked`](ErrorKind::Nacked),
    /// [`TimedOut`](ErrorKind::TimedOut) and [`Disconnected`](ErrorKind::Disconnected) when the broker does not confirm it.
    ///
    /// # Cancel safety
    /// When the future is dropped, the message may have been published or not.
    pub fn publish<M: Message>(&self, message: &M) -> Publish
    where
        M::Kind: Publishable,
    {
        Publish::new(self.typed(message), self.0.clone())
    }

    /// Publishes an event or a task at once, although the handler that does so may still fail.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn publish_now<M: Message>(&self, message: &M) -> Publish
    where
        M::Kind: Publishable,
    {
        self.publish(message).now()
    }

    /// Publishes on the `audit` exchange: an imperative message, "do this", sent before a change is made.
    ///
    /// # Errors
    /// (when awaited) [`Unroutable`](ErrorKind::Unroutable) when no queue takes it; else as [`publish`](Self::publish).
    pub fn audit<B: Serialize + ?Sized>(&self, key: impl AsRef<str>, body: &B) -> Publish {
        let draft = self.encoded(
            |hub| &hub.settings.audit,
            key.as_ref(),
            body,
            (Importance::Required, SentAs::Audit),
        );
        Publish::new(draft, self.0.clone())
    }

    /// Publishes on the `react` exchange: an advisory message, "this was done", sent after a change was made.
    ///
    /// # Errors
    /// (when awaited) as [`publish`](Self::publish).
    pub fn react<B: Serialize + ?Sized>(&self, key: impl AsRef<str>, body: &B) -> Publish {
        let draft =
            self.encoded(|hub| &hub.settings.react, key.as_ref(), body, (Importance::Counted, SentAs::React));
        Publish::new(draft, self.0.clone())
    }

    /// Publishes bytes on any exchange, as they are and without a content type.
    ///
    /// # Errors
    /// (when awaited) [`Unroutable`](ErrorKind::Unroutable) when no queue takes it; else as [`publish`](Self::publish).
    pub fn publish_raw(
        &self,
        exchange: impl AsRef<str>,
        key: impl AsRef<str>,
        body: impl Into<Bytes>,
    ) -> Publish {
        let draft = self.hub().and_then(|hub| {
            let exchange = ExchangeName::new(exchange)?;
            Ok(self.draft(
                &hub,
                exchange,
                RoutingKey::new(key)?,
                body.into(),
                (Importance::Required, SentAs::Raw),
            ))
        });
        Publish::new(draft, self.0.clone())
    }

    /// Sends a command to its handler and waits for the reply, at most 30 s unless
    /// [`timeout`](Execute::timeout) says otherwise. It goes out at once, in a handler too.
    ///
    /// A handler in this process is called directly, with its layers, its timeout, its counters and the slots of its queue; any
    /// other gets the command from the broker.
    ///
    /// # Errors
    /// (when awaited) [`CommandFailed`](ErrorKind::CommandFailed) when the handler failed: its error is
    /// [`CommandFailure::of`](crate::CommandFailure::of) this one. [`Unroutable`](ErrorKind::Unroutable) when there is no
    /// handler, [`TimedOut`](ErrorKind::TimedOut) when no reply came in time or the handler took longer than its own timeout,
    /// [`Codec`](ErrorKind::Codec) when the command or the reply cannot be decoded,
    /// [`NestedTooDeep`](ErrorKind::NestedTooDeep) for commands that execute each other in a circle,
    /// [`Closed`](ErrorKind::Closed) when the bus shuts down, and as [`publish`](Self::publish).
    ///
    /// # Cancel safety
    /// When the future is dropped, a command whose handler has begun is handled to its end, and its reply is ignored; one that
    /// waits for its handler may still be handled until its timeout.
    #[expect(clippy::needless_pass_by_value, reason = "executing a command uses it up")]
    pub fn execute<M, R>(&self, command: M) -> Execute<R>
    where
        M: Message<Kind = Command<R>>,
        R: serde::de::DeserializeOwned + 'static,
    {
        let draft = self.typed(&command);
        Execute::new(draft.and_then(|draft| Ok((self.hub()?, draft))))
    }

    /// Sends a command whose Rust type is not known here.
    #[cfg(feature = "cli")]
    pub(crate) fn execute_raw(&self, command: MessageType, body: Vec<u8>) -> Execute<serde_json::Value> {
        let draft = self.hub().and_then(|hub| {
            let exchange = hub.exchange(command.exchange.unwrap_or(&hub.settings.messages))?;
            let subject = (Importance::Required, SentAs::Typed(command.topic));
            let mut draft = self.draft(&hub, exchange, RoutingKey::new(command.topic)?, body.into(), subject);
            let Envelope { properties, headers, .. } = &mut *draft.envelope;
            properties.content_type = Some(Text::Borrowed(JSON));
            properties.message_type = Some(Text::Borrowed(command.topic));
            properties.priority = command.priority;
            headers.set(header::VERSION, command.version);
            Ok((hub, draft))
        });
        Execute::new(draft)
    }

    /// Opens a session: a scope for handlers that are there for one piece of work, and hear only of its messages. See [`Session`].
    /// It is open at once, in a handler too, and what is published through it goes out at once.
    ///
    /// The id is what the work is called: a number of a job, of a request. It is the `session_id` of the [`Context`](crate::Context)
    /// of every message of the session. Several sessions may have one id, in this process and in others: each hears of the
    /// messages of all.
    ///
    /// ```
    /// # use bus_runtime::prelude::*;
    /// # use serde::{Deserialize, Serialize};
    /// # #[derive(Serialize, Deserialize, Message)]
    /// # #[event("import.progress")]
    /// # struct Progress { percent: u8 }
    /// # #[tokio::main] async fn main() -> Result<(), bus_runtime::Error> {
    /// # let bus = bus_runtime::app().without_handlers().start().await?;
    /// let session = bus.session("job-123").await?;
    /// session.on(|progress: Progress| async move { println!("{} %", progress.percent) }).await?;
    /// session.publish(&Progress { percent: 50 }).await?;
    /// session.end().await;
    /// # bus.shutdown().await;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// [`InvalidName`](ErrorKind::InvalidName) for an id that is empty or longer than 255 bytes, [`Closed`](ErrorKind::Closed) when
    /// the bus was shut down, and what publishing [`SessionStarted`](crate::SessionStarted) says.
    ///
    /// # Cancel safety
    /// When the future is dropped, there is no session.
    pub async fn session(&self, id: impl Into<String>) -> Result<Session, Error> {
        let hub = self.hub()?;
        let parent = match &self.0 {
            Via::Scope(scope) => Some(Arc::clone(scope)),
            _ => CURRENT.try_with(Arc::clone).ok(),
        };
        Session::open(hub, id.into(), parent.as_deref()).await
    }

    pub(crate) fn of_session(session: &Arc<SessionCore>) -> Self {
        Self(Via::Session(Arc::clone(session)))
    }

    /// The app's hub, when there is one here and the handler has not ended.
    fn hub(&self) -> Result<Arc<Hub>, Error> {
        match &self.0 {
            Via::Hub(hub) => Ok(Arc::clone(hub)),
            Via::Session(session) => session.hub(),
            Via::Scope(scope) => scope.check_open().map(|()| Arc::clone(&scope.hub)),
            Via::Nowhere => Err(Error::new(ErrorKind::NoBus, "there is no bus to publish on")
                .with_help("publish in a handler, or on the `Bus` that `app().start()` returns")),
        }
    }

    /// A message type under its own topic, with everything that the type says.
    fn typed<M: Message>(&self, message: &M) -> Result<Draft, Error> {
        let importance = match <M::Kind as Kind>::KIND {
            MessageKind::Event if M::TERMINAL => Importance::Silent,
            MessageKind::Event => Importance::Counted,
            MessageKind::Task | MessageKind::Command => Importance::Required,
        };
        let mut draft = self.encoded(
            |hub| M::EXCHANGE.unwrap_or(&hub.settings.messages),
            M::TOPIC,
            message,
            (importance, SentAs::Typed(M::TOPIC)),
        )?;
        let properties = &mut draft.envelope.properties;
        properties.message_type = Some(Text::Borrowed(M::TOPIC));
        properties.priority = M::PRIORITY;
        properties.expiration = M::TTL_MILLIS.map(std::time::Duration::from_millis);
        draft.envelope.headers.set(header::VERSION, M::VERSION);
        Ok(draft)
    }

    fn encoded<B: Serialize + ?Sized>(
        &self,
        exchange: impl FnOnce(&Hub) -> &str,
        key: &str,
        body: &B,
        (importance, subject): (Importance, SentAs),
    ) -> Result<Draft, Error> {
        let hub = self.hub()?;
        let exchange = hub.exchange(exchange(&hub))?;
        let key = RoutingKey::new(key)?;
        let body = serde_json::to_vec(body).map_err(|error| {
            Error::new(ErrorKind::Codec, format!("can't encode the body of `{key}`")).with_source(error)
        })?;
        let mut draft = self.draft(&hub, exchange, key, body.into(), (importance, subject));
        draft.envelope.properties.content_type = Some(Text::Borrowed(JSON));
        Ok(draft)
    }

    fn draft(
        &self,
        hub: &Hub,
        exchange: ExchangeName,
        key: RoutingKey,
        body: Bytes,
        (importance, subject): (Importance, SentAs),
    ) -> Draft {
        let mut envelope = Box::new(Envelope::new(exchange, key, body));
        envelope.properties.persistent = true;
        envelope.properties.message_id = Some(Text::Owned(crate::seam::message_id()));
        envelope.properties.timestamp = Some(crate::seam::wall_clock());
        envelope.properties.app_id = Some(hub.app_id.clone());
        match &self.0 {
            Via::Scope(scope) => scope.inherit(&mut envelope),
            Via::Session(session) => session.inherit(&mut envelope),
            Via::Hub(_) | Via::Nowhere => {}
        }
        Draft { envelope, delay: None, importance, subject, has_own_id: false, has_own_trace: false }
    }
}

/// The publisher of the place where it is called: of the handler, else of the app that `run()` has started.
pub(crate) fn here() -> Publisher {
    let scope = CURRENT.try_with(Arc::clone).ok().map(Via::Scope);
    let process_wide = || PROCESS_WIDE.get().and_then(Weak::upgrade).map(Via::Hub);
    Publisher(scope.or_else(process_wide).unwrap_or(Via::Nowhere))
}

/// Makes an app the one that `message.publish()` finds outside of handlers; the first one stays.
#[cfg(feature = "cli")]
pub(crate) fn set_process_wide(hub: &Arc<Hub>) {
    let _ = PROCESS_WIDE.set(Arc::downgrade(hub));
}

impl fmt::Debug for Publisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let via = match &self.0 {
            Via::Hub(_) => "direct",
            Via::Scope(_) => "of a handler",
            Via::Session(_) => "of a session",
            Via::Nowhere => "nowhere",
        };
        write!(f, "Publisher({via})")
    }
}
