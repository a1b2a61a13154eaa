//! From a delivery to the arguments of a handler.

use std::any::{TypeId, type_name};

use crate::delivery::Delivery;
use crate::outcome::Rejection;

mod batch;
mod bus;
mod context;
mod metadata;
mod payload;
mod routing;
mod settle;
mod state;

pub use batch::{Batch, BatchCall, BatchItem, CapturedWords, FromBatch};
pub(crate) use batch::{captured_column, captured_item, column, item};
pub use context::Context;
pub use metadata::{Attempt, CorrelationId, MessageId, Redelivered, Timestamp};
pub(crate) use payload::decode;
pub use payload::{BODY_MAX, Json, MessageOf, Raw};
pub use routing::CapturedWord;
pub(crate) use routing::captured;
pub use settle::Settle;
pub use state::State;
pub(crate) use state::StateMap;

/// A type that a handler can take as an argument.
///
/// ```
/// use bus_runtime::{Delivery, FromDelivery, Rejection};
///
/// /// How large the body is, in bytes.
/// struct Size(usize);
///
/// impl FromDelivery for Size {
///     fn from_delivery(delivery: &Delivery) -> Result<Self, Rejection> {
///         Ok(Size(delivery.metadata().body_len()))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` can't be a handler argument",
    label = "not extractable from a message",
    note = "a handler argument is one of: a type with `#[derive(Message)]`, `MessageOf<T>`, `Json<T>`, `Bytes`, `RoutingKey`, `Headers`, `Context`, `State<T>`, `Publisher`, `Settle`, a word captured in the binding key, `Option` and `Result<_, Rejection>` of these",
    note = "for a typed body write `{Self}` with `#[derive(Serialize, Deserialize, Message)]` and `#[event(\"…\")]` or `#[task(\"…\")]`, or take `Json<{Self}>`",
    note = "for your own type, `impl FromDelivery for {Self}`"
)]
pub trait FromDelivery: Sized {
    /// Makes the argument from the message.
    ///
    /// # Errors
    /// A [`Rejection`] sends the message to the dead letters; the handler is not called.
    fn from_delivery(delivery: &Delivery) -> Result<Self, Rejection>;

    /// Tells what the argument needs of the app, for checks before anything is consumed.
    fn describe(arguments: &mut Arguments) {
        let _ = arguments;
    }
}

/// `None` when the message does not hold it; what is there and cannot be decoded is still a dead letter.
impl<T: FromDelivery> FromDelivery for Option<T> {
    fn from_delivery(delivery: &Delivery) -> Result<Self, Rejection> {
        match T::from_delivery(delivery) {
            Ok(argument) => Ok(Some(argument)),
            Err(rejection) if rejection.is_absent() => Ok(None),
            Err(rejection) => Err(rejection),
        }
    }

    fn describe(arguments: &mut Arguments) {
        let required = arguments.state.len();
        T::describe(arguments);
        arguments.state.truncate(required);
    }
}

/// The handler itself sees why the argument cannot be made.
impl<T: FromDelivery> FromDelivery for Result<T, Rejection> {
    fn from_delivery(delivery: &Delivery) -> Result<Self, Rejection> {
        Ok(T::from_delivery(delivery))
    }

    fn describe(arguments: &mut Arguments) {
        T::describe(arguments);
    }
}

/// What the arguments of a handler need of the app.
#[derive(Debug, Default)]
pub struct Arguments {
    pub(crate) state: Vec<(TypeId, &'static str)>,
    pub(crate) payload: Option<&'static str>,
    /// What the body looks like, where its type is no message.
    #[cfg(feature = "cli")]
    pub(crate) shape: Option<fn() -> crate::shape::Shape>,
}

impl Arguments {
    /// Adds what an argument of type `T` needs.
    pub fn take<T: FromDelivery>(&mut self) {
        T::describe(self);
    }

    /// Adds what an argument of type `T` of a handler with `batch(..)` needs.
    pub fn take_batch<T: FromBatch>(&mut self) {
        T::describe(self);
    }

    /// An argument needs a `T` given to [`App::state`](crate::App::state).
    pub fn needs_state<T: 'static>(&mut self) {
        self.state.push((TypeId::of::<T>(), type_name::<T>()));
    }

    /// An argument is the body as a `T`.
    pub fn payload<T>(&mut self) {
        self.payload = Some(type_name::<T>());
    }

    /// An argument is the body as a `T`, which is no message.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&mut self) {
        self.payload::<T>();
        #[cfg(feature = "cli")]
        {
            self.shape = Some(crate::shape::Shape::of::<T>);
        }
    }
}
