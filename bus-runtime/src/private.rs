//! Everything that generated code may name. Not a public interface: it changes with the macros.

use std::any::TypeId;
use std::error::Error;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

pub use std::option::Option::{self, None, Some};
pub use std::primitive::{bool, str, u8, u32, u64};
pub use std::result::Result::{self, Err, Ok};
pub use std::time::Duration;

pub use inventory::submit;

pub use crate::__handler_id as handler_id;
pub use crate::__instances_of as instances_of;
pub use crate::__not_another_message as not_another_message;
pub use crate::__schema_of as schema_of;
pub use crate::delivery::Delivery;
pub use crate::extract::{Arguments, BatchCall, BatchItem, FromDelivery};
pub use crate::message::{Command, Event, Message, Task};
pub use crate::outcome::{
    Disposition, HandlerError, IntoOutcome, IntoOutcomeOf, IntoOutcomes, IntoOutcomesOf, Outcome, Outcomes,
    Rejection,
};
pub use crate::policy::{AckMode, BreakerPolicy, OnError, RateLimit, WhenFull};
pub use crate::registration::{
    BatchFn, BatchOptions, ErrorRegistration, HandlerFn, HandlerId, HandlerOptions, HandlerRegistration,
    ItemFn, MessageRegistration, NO_OPTIONS, PublishRegistration, RetryOptions, Timeout,
};
pub use crate::schema::Schemas;
#[cfg(feature = "testing")]
pub use crate::testing::{FromTestBus, RealTime, TestBus, TestOutput, VirtualTime};
pub use crate::topology::{ExchangeKind, QueueType};
pub use crate::transport::BoxFuture;

use crate::extract::{Batch, CapturedWord, CapturedWords, FromBatch, MessageOf};
use crate::instances::{InstanceFinder, Instances};

/// `RetryOptions::default()` as a constant.
pub const NO_RETRY_OPTIONS: RetryOptions = RetryOptions {
    max: None,
    initial: None,
    factor: None,
    max_delay: None,
    jitter: None,
    give_up_after: None,
};

/// The id of a function or a method of the module that it is called in.
#[macro_export]
#[doc(hidden)]
macro_rules! __handler_id {
    ($function:ident) => {
        $crate::__private::HandlerId {
            module: ::core::module_path!(),
            name: $crate::__private::stringify!($function),
        }
    };
    ($type:ident::$method:ident) => {
        $crate::__private::HandlerId {
            module: ::core::module_path!(),
            name: $crate::__private::concat!(
                $crate::__private::stringify!($type),
                "::",
                $crate::__private::stringify!($method)
            ),
        }
    };
    // A raw identifier, without its `r#`.
    ($name:literal) => {
        $crate::__private::HandlerId { module: ::core::module_path!(), name: $name }
    };
}

/// Refuses an argument that is the body of another message than the one that the handler is registered for.
///
/// An argument may be any type, and only the compiler knows whether it is a message: of two methods with one name it takes
/// the one that needs no reference more, and that is [`BodyArgument`]'s where the type is a message.
#[macro_export]
#[doc(hidden)]
macro_rules! __not_another_message {
    ($argument:ty, $message:ty) => {{
        use $crate::__private::{AnyArgument as _, BodyArgument as _};
        (&$crate::__private::Argument::<$argument>::NEW).belongs_to::<$message>()
    }};
}

/// What makes the JSON Schema of a message, if it has one.
///
/// Whether it has is known to the compiler alone: see [`not_another_message`].
#[cfg(feature = "schema")]
#[macro_export]
#[doc(hidden)]
macro_rules! __schema_of {
    ($message:ty) => {
        |schemas| {
            // One of the two is not used.
            #[allow(unused_imports)]
            use $crate::__private::{AnySchema as _, KnownSchema as _};
            (&$crate::__private::Argument::<$message>::NEW).schema(schemas)
        }
    };
}

/// Without `schemars` there is none.
#[cfg(not(feature = "schema"))]
#[macro_export]
#[doc(hidden)]
macro_rules! __schema_of {
    ($message:ty) => {
        |_| $crate::__private::None
    };
}

/// A message that may have a schema or not.
#[cfg(feature = "schema")]
pub trait AnySchema {
    /// None.
    fn schema(&self, _: &mut Schemas) -> Option<serde_json::Value> {
        None
    }
}

#[cfg(feature = "schema")]
impl<T> AnySchema for &Argument<T> {}

/// A message that has a schema.
#[cfg(feature = "schema")]
pub trait KnownSchema {
    /// Its schema.
    fn schema(&self, schemas: &mut Schemas) -> Option<serde_json::Value>;
}

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema> KnownSchema for Argument<T> {
    fn schema(&self, schemas: &mut Schemas) -> Option<serde_json::Value> {
        Some(schemas.of::<T>())
    }
}

/// The type of an argument, as a value.
#[derive(Debug)]
pub struct Argument<T>(PhantomData<T>);

impl<T> Argument<T> {
    /// The only one.
    pub const NEW: Self = Self(PhantomData);
}

/// An argument that may be anything.
pub trait AnyArgument {
    /// Goes with every message.
    fn belongs_to<M>(&self) {}
}

impl<T> AnyArgument for &Argument<T> {}

/// An argument that is the body of a message.
pub trait BodyArgument {
    /// Of which.
    type Body;

    /// Goes with its own message only.
    fn belongs_to<M>(&self)
    where
        Self::Body: IsMessage<M>,
    {
    }
}

impl<T: Message> BodyArgument for Argument<T> {
    type Body = T;
}

impl<T: Message> BodyArgument for Argument<MessageOf<T>> {
    type Body = T;
}

impl<T: Message> BodyArgument for Argument<Vec<T>> {
    type Body = T;
}

impl<T: Message> BodyArgument for Argument<Vec<MessageOf<T>>> {
    type Body = T;
}

impl<T: Message> BodyArgument for Argument<Batch<T>> {
    type Body = T;
}

/// Every type is itself and no other.
#[diagnostic::on_unimplemented(
    message = "this handler is registered for `{M}` but takes `{Self}`",
    label = "another message than the attribute's",
    note = "make them the same type"
)]
pub trait IsMessage<M> {}

impl<M> IsMessage<M> for M {}

pub use std::{column, concat, file, line, stringify, vec};

/// How the instances of a controller are found: as it says itself, if it says, and else by what the app is given.
///
/// Chosen as in [`not_another_message`].
#[macro_export]
#[doc(hidden)]
macro_rules! __instances_of {
    ($type:ty) => {{
        use $crate::__private::{FoundByItself as _, GivenByApp as _};
        (&$crate::__private::Controller::<$type>::NEW).finder()
    }};
}

/// The type of a controller, as a value.
#[derive(Debug)]
pub struct Controller<T>(PhantomData<T>);

impl<T> Controller<T> {
    /// The only one.
    pub const NEW: Self = Self(PhantomData);
}

/// A controller that implements `Instances`.
pub trait FoundByItself {
    /// Asks the type.
    fn finder(&self) -> InstanceFinder;
}

impl<T: Instances> FoundByItself for Controller<T> {
    fn finder(&self) -> InstanceFinder {
        InstanceFinder::by_type::<T>()
    }
}

/// A controller that does not.
pub trait GivenByApp {
    /// Asks the app.
    fn finder(&self) -> InstanceFinder;
}

impl<T: 'static> GivenByApp for &Controller<T> {
    fn finder(&self) -> InstanceFinder {
        InstanceFinder::given::<T>()
    }
}

/// The instance that a method is called for.
pub fn instance<T: Send + Sync + 'static>(delivery: &Delivery) -> Result<Arc<T>, Rejection> {
    crate::instances::instance(delivery)
}

/// Puts the handler's future into a box.
pub fn boxed<F>(future: F) -> BoxFuture<'static, Result<Outcome, Rejection>>
where
    F: Future<Output = Result<Outcome, Rejection>> + Send + 'static,
{
    Box::pin(future)
}

/// Makes one argument.
pub fn extract<T: FromDelivery>(delivery: &Delivery) -> Result<T, Rejection> {
    T::from_delivery(delivery)
}

/// Makes an argument of a captured word.
pub fn captured<T: CapturedWord>(delivery: &Delivery, name: &str) -> Result<T, Rejection> {
    crate::extract::captured(delivery, name)
}

/// Decodes the body of a message as its own type.
pub fn decode<M: Message>(delivery: &Delivery) -> Result<M, Rejection> {
    crate::extract::decode(delivery.envelope())
}

/// Judges what an audit or react handler returned.
pub fn outcome<T: IntoOutcome>(returned: T) -> Result<Outcome, Rejection> {
    Ok(returned.into_outcome())
}

/// Judges what the handler of a message type returned.
pub fn outcome_of<M: Message, T: IntoOutcomeOf<M::Kind>>(returned: T) -> Result<Outcome, Rejection> {
    Ok(returned.into_outcome_of())
}

/// Runs a plain `fn` handler on the pool for blocking work; its panic goes on here.
pub async fn blocking<T, F>(delivery: &Delivery, handler: F) -> T
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let held = delivery.scope().hold();
    let run = move || {
        // Also when it panics.
        let _held = held;
        handler()
    };
    crate::seam::blocking(|| crate::middleware::carrying_place(run)).await
}

/// Puts the future of a handler with `batch(..)` into a box.
pub fn boxed_batch<F>(future: F) -> BoxFuture<'static, Result<Outcomes, Rejection>>
where
    F: Future<Output = Result<Outcomes, Rejection>> + Send + 'static,
{
    Box::pin(future)
}

/// Makes what one message contributes to an argument.
pub fn item<T: FromBatch>(delivery: &Delivery) -> Result<BatchItem, Rejection> {
    crate::extract::item::<T>(delivery)
}

/// Makes what one message contributes to an argument of captured words.
pub fn captured_item<T: CapturedWords>(delivery: &Delivery, name: &str) -> Result<BatchItem, Rejection> {
    crate::extract::captured_item::<T>(delivery, name)
}

/// Makes the next argument of what the messages contribute to it.
pub fn arguments<T: FromBatch>(batch: &mut BatchCall) -> Result<T, Rejection> {
    crate::extract::column(batch)
}

/// Makes the next argument of captured words.
pub fn captured_arguments<T: CapturedWords>(batch: &mut BatchCall) -> Result<T, Rejection> {
    Ok(crate::extract::captured_column(batch))
}

/// Judges what an audit or react handler with `batch(..)` returned.
pub fn outcomes<T: IntoOutcomes>(returned: T) -> Result<Outcomes, Rejection> {
    Ok(returned.into_outcomes())
}

/// Judges what the handler with `batch(..)` of a message type returned.
pub fn outcomes_of<M: Message, T: IntoOutcomesOf<M::Kind>>(returned: T) -> Result<Outcomes, Rejection> {
    Ok(returned.into_outcomes_of())
}

/// Runs a plain `fn` handler with `batch(..)` on the pool for blocking work; its panic goes on here.
pub async fn blocking_batch<T, F>(batch: BatchCall, handler: F) -> T
where
    T: Send + 'static,
    F: FnOnce() -> T + Send + 'static,
{
    let held = batch.hold();
    drop(batch);
    let run = move || {
        let _held = held;
        handler()
    };
    crate::seam::blocking(|| crate::middleware::carrying_place(run)).await
}

/// The identity of a function item.
pub fn type_id_of<F: 'static>(_function: &F) -> TypeId {
    TypeId::of::<F>()
}

/// What an error says about a message, when it is of this type.
pub fn disposition<E: Error + 'static>(
    error: &(dyn Error + 'static),
    judge: impl FnOnce(&E) -> Disposition,
) -> Option<Disposition> {
    error.downcast_ref().map(judge)
}

/// What `#[bus_runtime::test]` needs.
#[cfg(feature = "testing")]
pub mod testing {
    use super::{RealTime, TestBus, TestOutput, VirtualTime};

    pub use std::prelude::v1::test;

    pub use crate::app::app;
    pub use crate::testing::Settings;

    /// Makes one argument of a test.
    pub fn argument<T: crate::testing::Time, A: super::FromTestBus<T>>(bus: &TestBus<T>) -> A {
        A::from_test_bus(bus)
    }

    /// Runs a test that takes nothing.
    pub fn without_bus<F: Future<Output: TestOutput>>(test: impl FnOnce() -> F) {
        crate::testing::without_bus(test);
    }

    /// Runs a test with a clock of its own.
    pub fn in_virtual_time<F: Future<Output: TestOutput>>(
        settings: Settings,
        test: impl FnOnce(TestBus<VirtualTime>) -> F,
    ) {
        crate::testing::on_embedded(settings, test);
    }

    /// Runs a test on an embedded broker that it does not know from a real one.
    pub fn on_embedded<F: Future<Output: TestOutput>>(
        settings: Settings,
        test: impl FnOnce(TestBus<RealTime>) -> F,
    ) {
        crate::testing::on_embedded(settings, test);
    }

    /// Runs a test on RabbitMQ.
    pub fn on_rabbitmq<F: Future<Output: TestOutput>>(
        settings: Settings,
        test: impl FnOnce(TestBus<RealTime>) -> F,
    ) {
        crate::testing::on_rabbitmq(settings, test);
    }
}
