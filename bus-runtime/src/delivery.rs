//! A message on its way to a handler: what handlers, layers and filters see of it, without the right to settle it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::envelope::{Envelope, Headers, header};
use crate::extract::Context;
use crate::names::{ExchangeName, QueueName, RoutingKey};
use crate::scope::Scope;

/// One message on its way to one handler.
///
/// It is cheap to clone and cannot be settled: the worker does that, exactly once, by the handler's
/// [`Outcome`](crate::Outcome).
#[derive(Clone)]
pub struct Delivery {
    metadata: Metadata,
    scope: Arc<Scope>,
}

impl Delivery {
    pub(crate) fn new(metadata: Metadata, scope: Arc<Scope>) -> Self {
        Self { metadata, scope }
    }

    /// What is known about the message beside its body.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The message as it arrived.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.metadata.envelope
    }

    /// The name of the handler it is for.
    #[must_use]
    pub fn handler(&self) -> &str {
        self.scope.handler_name()
    }

    pub(crate) fn scope(&self) -> &Arc<Scope> {
        &self.scope
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("handler", &self.handler())
            .field("metadata", &self.metadata)
            .finish_non_exhaustive()
    }
}

/// What is known about a message beside its body: the argument of filters (`when`) and error hooks.
#[derive(Clone)]
pub struct Metadata {
    pub(crate) envelope: Arc<Envelope>,
    pub(crate) exchange: ExchangeName,
    pub(crate) routing_key: RoutingKey,
    pub(crate) queue: QueueName,
    pub(crate) attempt: u32,
    pub(crate) redelivered: bool,
}

impl Metadata {
    /// The exchange it was first published to, retries or not.
    #[must_use]
    pub fn exchange(&self) -> &ExchangeName {
        &self.exchange
    }

    /// The routing key it was first published with, retries or not.
    #[must_use]
    pub fn routing_key(&self) -> &RoutingKey {
        &self.routing_key
    }

    /// The queue it came from.
    #[must_use]
    pub fn queue(&self) -> &QueueName {
        &self.queue
    }

    /// The number of this attempt; the first is 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The broker says that it may have been delivered before. Not an attempt count: RabbitMQ sets it on messages that no
    /// handler has seen.
    #[must_use]
    pub fn redelivered(&self) -> bool {
        self.redelivered
    }

    /// The id that its publisher gave it.
    #[must_use]
    pub fn message_id(&self) -> Option<&str> {
        self.envelope.properties.message_id.as_deref()
    }

    /// Ties the messages of one conversation together.
    #[must_use]
    pub fn correlation_id(&self) -> Option<&str> {
        let conversation = self.envelope.headers.text(header::CONVERSATION);
        conversation.or(self.envelope.properties.correlation_id.as_deref())
    }

    /// The topic of its type.
    #[must_use]
    pub fn message_type(&self) -> Option<&str> {
        self.envelope.properties.message_type.as_deref()
    }

    /// The version of its type's shape, as whoever published it knew it; 1 when nothing is said. A body is decoded as the
    /// handler's own type whatever its version: give new fields a `#[serde(default)]`, or decide by this in a handler that takes
    /// [`Raw`](crate::Raw).
    #[must_use]
    pub fn version(&self) -> u32 {
        self.headers().int(header::VERSION).and_then(|version| u32::try_from(version).ok()).unwrap_or(1)
    }

    /// Its headers.
    #[must_use]
    pub fn headers(&self) -> &Headers {
        &self.envelope.headers
    }

    /// On whose behalf it was sent: project, mount point, user and session.
    #[must_use]
    pub fn context(&self) -> Context {
        Context::of(&self.envelope)
    }

    /// All its properties.
    #[must_use]
    pub fn properties(&self) -> &crate::envelope::Properties {
        &self.envelope.properties
    }

    /// When it was published. On the wire that is in whole seconds, and an id that Bus has made says it better.
    pub(crate) fn published_at(&self) -> Option<SystemTime> {
        let properties = &self.envelope.properties;
        let whole = properties.timestamp?;
        let since = whole.duration_since(SystemTime::UNIX_EPOCH).ok()?;
        if since.subsec_nanos() > 0 {
            return Some(whole);
        }
        let id = properties.message_id.as_deref().and_then(|id| uuid::Uuid::try_parse(id).ok());
        let Some(made) = id.and_then(|id| id.get_timestamp()) else { return Some(whole) };
        let (seconds, nanos) = made.to_unix();
        let exact = SystemTime::UNIX_EPOCH + Duration::new(seconds, nanos);
        let is_of_that_second = exact.duration_since(whole).is_ok_and(|since| since < Duration::from_secs(1));
        Some(if is_of_that_second { exact } else { whole })
    }

    /// The length of its body, in bytes.
    #[must_use]
    pub fn body_len(&self) -> usize {
        self.envelope.body.len()
    }
}

/// Never the body, and of the headers only their number: both may hold what must not be in a log.
impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metadata")
            .field("exchange", &self.exchange)
            .field("routing_key", &self.routing_key)
            .field("queue", &self.queue)
            .field("attempt", &self.attempt)
            .field("redelivered", &self.redelivered)
            .field("message_id", &self.message_id())
            .field("headers", &self.headers().len())
            .field("body_len", &self.body_len())
            .finish()
    }
}
