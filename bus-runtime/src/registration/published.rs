//! What is said about the messages of a program: the types that are linked into it, and the keys that it publishes.

use std::any::TypeId;

use serde_json::Value;

use crate::error::Place;
use crate::message::{Message, MessageType};
use crate::schema::Schemas;
use crate::shape::Shape;

/// What `#[derive(Message)]` registers: that a message type is linked into the program.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct MessageRegistration {
    pub(crate) message: MessageType,
    pub(crate) place: Place,
    pub(crate) shape: fn() -> Shape,
    pub(crate) schema: fn(&mut Schemas) -> Option<Value>,
}

impl MessageRegistration {
    /// The registration of `M`.
    pub const fn of<M: Message>() -> Self {
        Self {
            message: MessageType::of::<M>(),
            place: Place { file: "", line: 0, column: 0 },
            shape: Shape::of::<M>,
            schema: |_| None,
        }
    }

    /// What makes the JSON Schema of the type, where it knows its own.
    #[doc(hidden)]
    pub const fn described_by(mut self, schema: fn(&mut Schemas) -> Option<Value>) -> Self {
        self.schema = schema;
        self
    }

    /// Where the type stands.
    pub const fn located(mut self, file: &'static str, line: u32, column: u32) -> Self {
        self.place = Place { file, line, column };
        self
    }

    /// The message type.
    #[must_use]
    pub const fn message(&self) -> &MessageType {
        &self.message
    }

    /// Every message type that is linked into this program, in no particular order.
    pub fn linked() -> impl Iterator<Item = &'static MessageRegistration> {
        inventory::iter::<MessageRegistration>.into_iter()
    }
}

/// What `publishes!` registers: keys, or a type, that the program publishes.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct PublishRegistration {
    pub(crate) what: Published,
    /// The handler that does, when it is one.
    pub(crate) by: Option<fn() -> TypeId>,
    /// Nobody needs to receive it.
    pub(crate) terminal: bool,
    pub(crate) place: Place,
}

/// What is published.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Published {
    Audit(&'static [&'static str]),
    React(&'static [&'static str]),
    Message(MessageType),
}

impl PublishRegistration {
    /// Routing keys of the `audit` exchange; a word may be `*` or `{name}`.
    pub const fn audit(keys: &'static [&'static str]) -> Self {
        Self::new(Published::Audit(keys))
    }

    /// Routing keys of the `react` exchange; a word may be `*` or `{name}`.
    pub const fn react(keys: &'static [&'static str]) -> Self {
        Self::new(Published::React(keys))
    }

    /// A message type.
    pub const fn message<M: Message>() -> Self {
        Self::new(Published::Message(MessageType::of::<M>()))
    }

    const fn new(what: Published) -> Self {
        Self { what, by: None, terminal: false, place: Place { file: "", line: 0, column: 0 } }
    }

    /// Published by this handler.
    pub const fn by(mut self, handler: fn() -> TypeId) -> Self {
        self.by = Some(handler);
        self
    }

    /// Nobody needs to receive it.
    pub const fn terminal(mut self) -> Self {
        self.terminal = true;
        self
    }

    /// Where it is said.
    pub const fn located(mut self, file: &'static str, line: u32, column: u32) -> Self {
        self.place = Place { file, line, column };
        self
    }

    /// Everything that this program says it publishes, in no particular order.
    pub fn linked() -> impl Iterator<Item = &'static PublishRegistration> {
        inventory::iter::<PublishRegistration>.into_iter()
    }
}

inventory::collect!(MessageRegistration);
inventory::collect!(PublishRegistration);

/// Says which messages a program publishes, so that `check` finds keys that nobody binds, bindings that nobody publishes, and
/// handlers that call each other in a circle. It publishes nothing itself.
///
/// ```
/// use bus_runtime::prelude::*;
///
/// #[react("wiki.page.*", retry = "none")]
/// async fn index(bus: Publisher) -> Result<(), BoxError> {
///     bus.react("search.indexed.home", &()).await?;
///     Ok(())
/// }
///
/// bus_runtime::publishes! {
///     react: "wiki.page.saved", "wiki.page.deleted";
///     audit: "wiki.page.save";
///     terminal react: "report.published";      // nobody needs to receive it
///     index => react: "search.indexed.{page}"; // this handler publishes it; `{page}` is any word
/// }
/// # fn main() {}
/// ```
///
/// In place of keys stands a message type: `index => PageIndexed;`.
#[macro_export]
macro_rules! publishes {
    () => {};
    (terminal $exchange:ident : $($key:literal),+ $(,)? $(; $($rest:tt)*)?) => {
        $crate::__publishes!($crate::__private::PublishRegistration::$exchange(&[$($key),+]).terminal());
        $($crate::publishes!($($rest)*);)?
    };
    ($exchange:ident : $($key:literal),+ $(,)? $(; $($rest:tt)*)?) => {
        $crate::__publishes!($crate::__private::PublishRegistration::$exchange(&[$($key),+]));
        $($crate::publishes!($($rest)*);)?
    };
    ($handler:path => $exchange:ident : $($key:literal),+ $(,)? $(; $($rest:tt)*)?) => {
        $crate::__publishes!(
            $crate::__private::PublishRegistration::$exchange(&[$($key),+])
                .by(|| $crate::__private::type_id_of(&$handler))
        );
        $($crate::publishes!($($rest)*);)?
    };
    ($handler:path => $message:ty $(; $($rest:tt)*)?) => {
        $crate::__publishes!(
            $crate::__private::PublishRegistration::message::<$message>()
                .by(|| $crate::__private::type_id_of(&$handler))
        );
        $($crate::publishes!($($rest)*);)?
    };
}

#[macro_export]
#[doc(hidden)]
macro_rules! __publishes {
    ($registration:expr) => {
        const _: () = {
            $crate::__private::submit! {
                $registration.located(::core::file!(), ::core::line!(), ::core::column!())
            }
        };
    };
}
