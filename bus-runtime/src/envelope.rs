//! A message as it travels: exchange, routing key, properties, headers and body.

use std::borrow::Cow;
use std::fmt;
use std::time::{Duration, SystemTime};

use bytes::Bytes;

use crate::names::{ExchangeName, RoutingKey};

/// A message as it travels, from [`publish`](crate::Publisher) to the handler.
///
/// Cheap to share: transports hand it out as an `Arc`, and the body is never copied.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// The exchange it was published to; the default exchange has the empty name.
    pub exchange: ExchangeName,
    /// The routing key it was published with.
    pub routing_key: RoutingKey,
    /// What AMQP calls the basic properties.
    pub properties: Properties,
    /// The headers table.
    pub headers: Headers,
    /// The bytes of the body.
    pub body: Bytes,
}

impl Envelope {
    /// An envelope without properties and headers.
    ///
    /// ```
    /// use bus_runtime::{Envelope, ExchangeName, RoutingKey};
    ///
    /// let envelope = Envelope::new(ExchangeName::new("react")?, RoutingKey::new("wiki.saved")?, "{}");
    /// assert_eq!(&envelope.body[..], b"{}");
    /// # Ok::<(), bus_runtime::NameError>(())
    /// ```
    #[must_use]
    pub fn new(exchange: ExchangeName, routing_key: RoutingKey, body: impl Into<Bytes>) -> Self {
        Self {
            exchange,
            routing_key,
            properties: Properties::default(),
            headers: Headers::default(),
            body: body.into(),
        }
    }
}

/// A short text of a message's properties, such as its id.
pub type Text = Cow<'static, str>;

/// The basic properties of AMQP 0-9-1, section 1.8.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Properties {
    /// MIME type of the body, such as `application/json`.
    pub content_type: Option<Text>,
    /// MIME encoding of the body, such as `gzip`.
    pub content_encoding: Option<Text>,
    /// Whether a durable queue keeps the message over a restart of the broker (delivery mode 2).
    pub persistent: bool,
    /// 0 to 255; a priority queue caps it at its maximum.
    pub priority: Option<u8>,
    /// Ties the messages of one conversation together.
    pub correlation_id: Option<Text>,
    /// The queue that an answer goes to.
    pub reply_to: Option<Text>,
    /// How long the message may wait in a queue before it expires.
    pub expiration: Option<Duration>,
    /// Identifies the message; Bus sets a UUID v7.
    pub message_id: Option<Text>,
    /// When it was published, in whole seconds on the wire.
    pub timestamp: Option<SystemTime>,
    /// The topic of the message's type.
    pub message_type: Option<Text>,
    /// The broker's user who published it; RabbitMQ checks it.
    pub user_id: Option<Text>,
    /// The program that published it.
    pub app_id: Option<Text>,
}

/// The headers of a message, ordered by name.
///
/// They are few, so they lie side by side: a tree would take more memory than they do.
#[derive(Clone, Default, PartialEq)]
pub struct Headers(Vec<(Text, HeaderValue)>);

impl Headers {
    /// The value of a header.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&HeaderValue> {
        let at = self.place(name).ok()?;
        self.0.get(at).map(|(_, value)| value)
    }

    /// Where a header is, or where it belongs.
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.as_ref().cmp(name))
    }

    /// The value of a header when it is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(HeaderValue::as_str)
    }

    /// The value of a header when it is an integer.
    #[must_use]
    pub fn int(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(HeaderValue::as_i64)
    }

    /// Sets a header, replacing what was there.
    pub fn set(&mut self, name: impl Into<Text>, value: impl Into<HeaderValue>) {
        let (name, value) = (name.into(), value.into());
        match self.place(&name) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => {
                // Most messages have one.
                if self.0.capacity() == 0 {
                    self.0.reserve_exact(1);
                }
                self.0.insert(at, (name, value));
            }
        }
    }

    /// Removes a header and returns what it was.
    pub fn remove(&mut self, name: &str) -> Option<HeaderValue> {
        self.place(name).ok().map(|at| self.0.remove(at).1)
    }

    /// Keeps the headers that `keep` wants.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &HeaderValue) -> bool) {
        self.0.retain(|(name, value)| keep(name, value));
    }

    /// All headers, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &HeaderValue)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    /// How many headers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<N: Into<Text>, V: Into<HeaderValue>> FromIterator<(N, V)> for Headers {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut all: Vec<(Text, HeaderValue)> =
            pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        // Equal names stay in their order, and the last one wins.
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                std::mem::swap(later, earlier);
            }
            is_same
        });
        Self(all)
    }
}

/// A value in a headers table: what AMQP 0-9-1 field tables carry and RabbitMQ understands.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum HeaderValue {
    /// Nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// Any of AMQP's integers.
    Int(i64),
    /// Any of AMQP's floating-point numbers.
    Float(f64),
    /// A long string that is valid UTF-8.
    Text(Text),
    /// A long string that is not UTF-8, or a byte array.
    Bytes(Bytes),
    /// A point in time, in whole seconds on the wire.
    Time(SystemTime),
    /// A field array.
    List(Vec<HeaderValue>),
    /// A nested table.
    Table(Headers),
}

impl HeaderValue {
    /// The text, when it is one; a byte array that is valid UTF-8 counts.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The integer, when it is one.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }
}

/// Prints the value alone, as a person would write it.
impl fmt::Display for HeaderValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Float(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
            Self::Bytes(value) => write!(f, "{} bytes", value.len()),
            Self::Time(value) => fmt::Debug::fmt(value, f),
            Self::List(values) => f.debug_list().entries(values).finish(),
            Self::Table(table) => fmt::Debug::fmt(table, f),
        }
    }
}

macro_rules! header_value_from {
    ($($from:ty => $variant:ident),* $(,)?) => {$(
        impl From<$from> for HeaderValue {
            fn from(value: $from) -> Self {
                Self::$variant(value.into())
            }
        }
    )*};
}

header_value_from! {
    bool => Bool, i64 => Int, i32 => Int, u32 => Int, u16 => Int, u8 => Int, f64 => Float,
    String => Text, &'static str => Text, Text => Text,
    Bytes => Bytes, SystemTime => Time, Vec<HeaderValue> => List, Headers => Table,
}

/// The names of the headers that Bus writes and reads.
pub mod header {
    /// Number of the attempt that this copy is for; the first is 1.
    pub const ATTEMPT: &str = "bus-attempt";
    /// The exchange a retried or dead message was first published to.
    pub const EXCHANGE: &str = "bus-exchange";
    /// The routing key a retried or dead message was first published with.
    pub const ROUTING_KEY: &str = "bus-routing-key";
    /// The one handler of a shared queue that a retried copy is for.
    pub const MEMBER: &str = "bus-member";
    /// The one instance of a controller that a retried or dead copy is for: its [`key`](crate::Instances::key).
    pub const INSTANCE: &str = "bus-instance";
    /// The queue whose message this was.
    pub const QUEUE: &str = "bus-queue";
    /// The handler that failed last.
    pub const HANDLER: &str = "bus-handler";
    /// Why a message is dead, one word: see [`DeadLetterReason`](crate::DeadLetterReason).
    pub const REASON: &str = "bus-reason";
    /// The text of the last error, with its sources.
    pub const ERROR: &str = "bus-error";
    /// The Rust type of the last error.
    pub const ERROR_TYPE: &str = "bus-error-type";
    /// When the first attempt failed, as RFC 3339.
    pub const FIRST_FAILED_AT: &str = "bus-first-failed-at";
    /// When the last attempt failed, as RFC 3339.
    pub const LAST_FAILED_AT: &str = "bus-last-failed-at";
    /// The worker that gave the message up.
    pub const WORKER: &str = "bus-worker";
    /// How often a handler asked for the message to be requeued.
    pub const REQUEUES: &str = "bus-requeues";
    /// When whoever sent a command stops to wait for its reply, as RFC 3339.
    pub const DEADLINE: &str = "bus-deadline";
    /// The correlation id of the conversation that a command belongs to; its own one is that of its reply.
    pub const CONVERSATION: &str = "bus-conversation";
    /// How often the message was replayed from the dead letters.
    pub const REPLAYS: &str = "bus-replays";
    /// The number of a replayed message whose fate somebody waits for.
    pub const REPLAY: &str = "bus-replay";
    /// The queue where the fate of a replayed message is told.
    pub const REPLAY_TO: &str = "bus-replay-to";
    /// What became of a replayed message: `handled` or `dead`.
    pub const FATE: &str = "bus-fate";
    /// The message comes from handlers having been told of a failure: its own failures are not told.
    pub const AFTER_FAILURE: &str = "bus-after-failure";
    /// The message comes from handlers having been told of a command: of the commands that it leads to nobody is told.
    pub const AFTER_COMMAND: &str = "bus-after-command";
    /// Somebody waits until this message and all that it leads to are settled; who.
    pub const SETTLE: &str = "bus-settle";
    /// Version of the message's type.
    pub const VERSION: &str = "bus-version";
    /// The exchange that a delayed message goes to when it is due.
    pub const DUE_EXCHANGE: &str = "bus-due-exchange";
    /// The routing key that a delayed message goes to its exchange with when it is due.
    pub const DUE_ROUTING_KEY: &str = "bus-due-routing-key";
    /// How often the queue that a delayed message goes to has refused it.
    pub const DUE_REFUSED: &str = "bus-due-refused";
    /// The project a message belongs to.
    pub const PROJECT_ID: &str = "bus-project-id";
    /// The instance of an application that a message is for, or from.
    pub const MOUNT_POINT: &str = "bus-mount-point";
    /// The user on whose behalf a message was sent.
    pub const USER_ID: &str = "bus-user-id";
    /// The session that a message belongs to.
    pub const SESSION_ID: &str = "bus-session-id";
    /// The open session that a message is published through, or by a handler of one of its messages: the session's own handlers
    /// hear of it.
    pub const SESSION: &str = "bus-session";
    /// The routing key that a delayed message has for its session when it is due.
    pub const DUE_SESSION_KEY: &str = "bus-due-session-key";
    /// Of messages with the same key a handler handles one.
    pub const IDEMPOTENCY_KEY: &str = "bus-idempotency-key";
    /// W3C trace context.
    pub const TRACEPARENT: &str = "traceparent";
    /// W3C trace context, vendors' part.
    pub const TRACESTATE: &str = "tracestate";
    /// W3C baggage: what the application itself passes along a trace.
    pub const BAGGAGE: &str = "baggage";
}
