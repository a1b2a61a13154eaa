//! A message about to be published: what can be said about it before it is sent.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::AndSettle;
use crate::envelope::{Envelope, HeaderValue, Text, header};
use crate::error::{Error, ErrorKind};
use crate::hub::Hub;
use crate::observe::SentAs;
use crate::scope::Scope;
use crate::session::SessionCore;
use crate::transport::BoxFuture;

/// A message, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    /// In a box: on its way from the publisher to the transport it is moved many times.
    pub(crate) envelope: Box<Envelope>,
    pub(crate) delay: Option<Duration>,
    pub(crate) importance: Importance,
    pub(crate) subject: SentAs,
    /// The caller chose the message id.
    pub(crate) has_own_id: bool,
    /// The caller chose the trace that it belongs to.
    pub(crate) has_own_trace: bool,
}

/// What it means that no queue wants a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Importance {
    /// An error: tasks, commands, audit.
    Required,
    /// Logged once per topic and counted: events, react.
    Counted,
    /// Nothing: terminal events.
    Silent,
}

impl Importance {
    /// Whether it is an event, or another message that nobody has to receive.
    pub(crate) fn is_of_event(self) -> bool {
        matches!(self, Self::Counted | Self::Silent)
    }

    pub(crate) fn judge_unroutable(self, hub: &Hub, topic: &str) -> Result<(), Error> {
        match self {
            Self::Silent => Ok(()),
            Self::Counted => {
                if hub.first_unroutable(topic) {
                    tracing::warn!(code = "BUS0204", topic, "nobody receives this message; it is gone");
                }
                Ok(())
            }
            Self::Required => Err(Error::new(ErrorKind::Unroutable, format!("nobody receives `{topic}`"))
                .with_help("no queue is bound for this key: is the handler's program set up? `handlers explain <KEY>` shows who would receive it")),
        }
    }
}

/// A message about to be published. Nothing happens until it is awaited.
///
/// ```no_run
/// # async fn f(bus: bus_runtime::Publisher) -> Result<(), bus_runtime::Error> {
/// use std::time::Duration;
///
/// bus.react("wiki.page.saved", &["home"]).header("origin", "import").after(Duration::from_secs(5)).await?;
/// # Ok(()) }
/// ```
#[must_use = "nothing is published until it is awaited"]
pub struct Publish {
    draft: Result<Draft, Error>,
    via: Via,
}

/// The way a message takes.
#[derive(Clone)]
pub(crate) enum Via {
    /// To the broker, now.
    Hub(Arc<Hub>),
    /// Held by the call of a handler until that succeeds.
    Scope(Arc<Scope>),
    /// To the broker, now, as a message of a session.
    Session(Arc<SessionCore>),
    /// There is no bus here.
    Nowhere,
}

impl Publish {
    pub(crate) fn new(draft: Result<Draft, Error>, via: Via) -> Self {
        Self { draft, via }
    }

    fn map(mut self, change: impl FnOnce(&mut Draft)) -> Self {
        if let Ok(draft) = &mut self.draft {
            change(draft);
        }
        self
    }

    /// Sets a header. Names that begin with `bus-` or `x-` belong to Bus and to the broker.
    pub fn header(self, name: impl Into<Text>, value: impl Into<HeaderValue>) -> Self {
        let name = name.into();
        self.map(|draft| {
            draft.has_own_trace |= name == header::TRACEPARENT;
            draft.envelope.headers.set(name, value);
        })
    }

    /// Delivers it after this time, rounded up to whole seconds; it waits on the broker and survives a restart.
    pub fn after(self, delay: Duration) -> Self {
        self.map(|draft| draft.delay = Some(delay))
    }

    /// Delivers it at this time, rounded up to whole seconds; at once when that is past.
    pub fn at(self, time: SystemTime) -> Self {
        let delay = time.duration_since(crate::seam::wall_clock()).unwrap_or_default();
        self.after(delay)
    }

    /// Sets the message id; without it a new one is made.
    pub fn message_id(self, id: impl Into<Text>) -> Self {
        self.map(|draft| {
            draft.envelope.properties.message_id = Some(id.into());
            draft.has_own_id = true;
        })
    }

    /// Sets the correlation id; without it a handler's message has the one of the message that it handles.
    pub fn correlation_id(self, id: impl Into<Text>) -> Self {
        self.map(|draft| draft.envelope.properties.correlation_id = Some(id.into()))
    }

    /// Sets the AMQP priority, 0 to 255.
    pub fn priority(self, priority: u8) -> Self {
        self.map(|draft| draft.envelope.properties.priority = Some(priority))
    }

    /// Lets it expire after this time in a queue, in whole milliseconds.
    pub fn ttl(self, time: Duration) -> Self {
        self.map(|draft| draft.envelope.properties.expiration = Some(time))
    }

    /// Names what the message is about, so that a handler which has succeeded with it is not called again: an order's id, a hash. It
    /// needs an app with a store where it is handled, see [`App::idempotency`](crate::App::idempotency).
    ///
    /// # Errors
    /// (when awaited) [`InvalidName`](ErrorKind::InvalidName) for a key that is empty or longer than 255 bytes.
    pub fn idempotency_key(mut self, key: impl Into<String>) -> Self {
        let key = key.into();
        if key.is_empty() || key.len() > crate::idempotency::KEY_MAX {
            let text = format!(
                "an idempotency key has 1 to {} bytes, and this one {}",
                crate::idempotency::KEY_MAX,
                key.len()
            );
            self.draft = self.draft.and(Err(Error::new(ErrorKind::InvalidName, text)));
            return self;
        }
        self.header(header::IDEMPOTENCY_KEY, key)
    }

    /// Sets the content type; without it the body is `application/json`.
    pub fn content_type(self, mime: impl Into<Text>) -> Self {
        self.map(|draft| draft.envelope.properties.content_type = Some(mime.into()))
    }

    /// Sets the type of the message: the topic by which its handlers know it.
    pub fn message_type(self, topic: impl Into<Text>) -> Self {
        self.map(|draft| draft.envelope.properties.message_type = Some(topic.into()))
    }

    /// Sets the project and the mount point: for `audit` of the recipient, for `react` of the source.
    pub fn context(self, project_id: impl Into<String>, mount_point: impl Into<String>) -> Self {
        self.header(header::PROJECT_ID, project_id.into()).header(header::MOUNT_POINT, mount_point.into())
    }

    /// Sends it now, although a handler publishes it that may still fail.
    pub fn now(mut self) -> Self {
        if let Via::Scope(scope) = &self.via {
            if let (Ok(draft), Err(error)) = (&self.draft, scope.check_open()) {
                let _ = draft;
                self.draft = Err(error);
            }
            self.via = Via::Hub(Arc::clone(&scope.hub));
        }
        self
    }
}

impl Publish {
    /// Publishes it, and waits until every handler in this process is done with it and with all that it led to: retries
    /// included, until the message is handled or with the dead letters. For tests and scripts.
    ///
    /// What is delayed with [`after`](Self::after) or [`at`](Self::at) is not waited for, nor is what other processes do. Where
    /// another process consumes the same queues, a message that went there counts as settled here when it is in the queues no
    /// more.
    ///
    /// ```no_run
    /// # async fn f(bus: bus_runtime::Bus) -> Result<(), bus_runtime::Error> {
    /// let settled = bus.react("wiki.page.saved", &["home"]).and_settle().await?;
    /// assert_eq!(settled.dead, 0);
    /// # Ok(()) }
    /// ```
    pub fn and_settle(self) -> AndSettle {
        AndSettle::new(self)
    }

    pub(super) fn into_parts(self) -> (Result<Draft, Error>, Via) {
        (self.draft, self.via)
    }
}

impl fmt::Debug for Publish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.draft {
            Ok(draft) => f
                .debug_struct("Publish")
                .field("exchange", &draft.envelope.exchange)
                .field("routing_key", &draft.envelope.routing_key)
                .finish_non_exhaustive(),
            Err(error) => f.debug_tuple("Publish").field(error).finish(),
        }
    }
}

impl IntoFuture for Publish {
    type Output = Result<(), Error>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let Self { draft, via } = self;
        Box::pin(async move {
            let draft = draft?;
            match via {
                Via::Hub(hub) => hub.send_draft(draft).await,
                Via::Session(session) => session.hub()?.send_draft(draft).await,
                Via::Scope(scope) => scope.stage(draft),
                Via::Nowhere => Err(Error::new(ErrorKind::NoBus, "there is no bus to publish on")
                    .with_help("publish in a handler, or on the `Bus` that `app().start()` returns")),
            }
        })
    }
}
