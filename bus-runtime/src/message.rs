//! What makes a Rust type a message: its topic, its kind and the limits of its delivery.

use std::any::TypeId;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A type that travels as a message. Derive it with [`#[derive(Message)]`](macro@crate::Message).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a bus message",
    label = "this type has no topic",
    note = "put `#[derive(Message)]` and `#[event(\"some.topic\")]` (any number of handlers), `#[task(\"some.topic\")]` (exactly one) or `#[command(\"some.topic\", reply = ..)]` on `{Self}`"
)]
pub trait Message: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// [`Event`], [`Task`] or [`Command`].
    type Kind: Kind;
    /// The routing key, and the stable identity of the type on the wire.
    const TOPIC: &'static str;
    /// Version of the type's shape; travels in the header `bus-version`.
    const VERSION: u32 = 1;
    /// The exchange, when it is not the app's own.
    const EXCHANGE: Option<&'static str> = None;
    /// Nobody needs to receive it.
    const TERMINAL: bool = false;
    /// How long it may wait in a queue, in milliseconds.
    const TTL_MILLIS: Option<u64> = None;
    /// AMQP priority.
    const PRIORITY: Option<u8> = None;

    /// Publishes it: inside a handler with the handler's [`Publisher`](crate::Publisher), else with the app that
    /// [`run()`](crate::run) started.
    ///
    /// ```no_run
    /// use bus_runtime::prelude::*;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Message)]
    /// #[event("user.created")]
    /// struct UserCreated { user_id: u64 }
    ///
    /// # async fn f() -> Result<(), bus_runtime::Error> {
    /// UserCreated { user_id: 1 }.publish().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// (when awaited) [`NoBus`](crate::ErrorKind::NoBus) when there is no bus here, else what
    /// [`Publisher::publish`](crate::Publisher::publish) says.
    fn publish(&self) -> crate::publish::Publish
    where
        Self: Sized,
        Self::Kind: Publishable,
    {
        crate::publish::here().publish(self)
    }
}

/// The kind of a message, as a type.
pub trait Kind: Send + Sync + 'static {
    /// The kind of a message, as a value.
    const KIND: MessageKind;
}

/// A kind of message that can be published without waiting for an answer.
#[diagnostic::on_unimplemented(
    message = "a command is not published, it is executed",
    label = "`publish` is for events and tasks",
    note = "use `bus.execute(command).await?`, which returns the reply"
)]
pub trait Publishable: Kind {}

/// Any number of handlers; says that something has happened.
#[derive(Clone, Copy, Debug)]
pub struct Event(());

/// Exactly one handler; asks for something to be done.
#[derive(Clone, Copy, Debug)]
pub struct Task(());

/// Exactly one handler, whose reply `R` goes back to the caller.
pub struct Command<R>(PhantomData<fn() -> R>);

impl<R> fmt::Debug for Command<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Command")
    }
}

impl Kind for Event {
    const KIND: MessageKind = MessageKind::Event;
}

impl Kind for Task {
    const KIND: MessageKind = MessageKind::Task;
}

impl<R: 'static> Kind for Command<R> {
    const KIND: MessageKind = MessageKind::Command;
}

impl Publishable for Event {}
impl Publishable for Task {}

/// The kind of a message, as a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum MessageKind {
    /// See [`Event`].
    Event,
    /// See [`Task`].
    Task,
    /// See [`Command`].
    Command,
}

impl MessageKind {
    /// `event`, `task` or `command`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Event => "event",
            Self::Task => "task",
            Self::Command => "command",
        }
    }

    /// Whether more than one handler is a mistake.
    #[must_use]
    pub fn wants_one_handler(self) -> bool {
        matches!(self, Self::Task | Self::Command)
    }
}

/// What is known of a message type without its Rust type.
#[derive(Clone, Copy, Debug)]
pub struct MessageType {
    /// See [`Message::TOPIC`].
    pub topic: &'static str,
    /// Event, task or command.
    pub kind: MessageKind,
    /// See [`Message::VERSION`].
    pub version: u32,
    /// See [`Message::EXCHANGE`].
    pub exchange: Option<&'static str>,
    /// See [`Message::TERMINAL`].
    pub terminal: bool,
    /// How long a message may wait in a queue.
    pub ttl: Option<Duration>,
    /// AMQP priority.
    pub priority: Option<u8>,
    /// The Rust type's name.
    pub name: fn() -> &'static str,
    /// The Rust type's identity.
    pub id: fn() -> TypeId,
}

impl MessageType {
    /// What is known of `M`.
    #[must_use]
    pub const fn of<M: Message>() -> Self {
        Self {
            topic: M::TOPIC,
            kind: <M::Kind as Kind>::KIND,
            version: M::VERSION,
            exchange: M::EXCHANGE,
            terminal: M::TERMINAL,
            ttl: match M::TTL_MILLIS {
                Some(millis) => Some(Duration::from_millis(millis)),
                None => None,
            },
            priority: M::PRIORITY,
            name: std::any::type_name::<M>,
            id: TypeId::of::<M>,
        }
    }

    /// The last word of the Rust type's path, such as `UserCreated`.
    #[must_use]
    pub fn short_name(&self) -> &'static str {
        let name = (self.name)();
        name.rsplit("::").next().unwrap_or(name)
    }
}
