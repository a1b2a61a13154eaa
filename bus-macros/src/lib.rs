//! The attributes of Bus: [`macro@audit`], [`macro@react`], [`macro@message_handler`] and [`macro@controller`], and the derives
//! [`macro@Message`] and [`macro@HandlerError`]; for tests of handlers, [`macro@test`].
//!
//! Depend on `bus-runtime`, which re-exports them. An attribute leaves its function as it is and registers it; every problem
//! of an attribute is reported at once, each at the word that it is about.

use proc_macro::TokenStream;

use crate::handler::Attribute;

// In travelling order: what stands in the parentheses, the item below, both together, and what comes out.
mod args;

mod batch;
mod breaker;
mod duration;
mod options;
mod retry;
mod slots;
mod suggest;
mod values;

mod binding_key;
mod signature;

mod contradictions;
mod siblings;
mod spec;

mod expand;
mod handler;
mod handler_error;
mod message;

mod controller;
mod method;

mod test;

mod errors;
mod support;

#[cfg(test)]
mod goldens;
#[cfg(test)]
mod goldens_of_tests;

/// Registers a function as a handler of imperative messages: "do this", sent *before* a change is made.
///
/// The function receives what is published to the exchange `audit` under a matching routing key. Its queue is shared by all
/// processes: each message is handled by one of them. This is not logging; for "this was done" there is [`macro@react`].
///
/// ```
/// use bus_runtime::prelude::*;
///
/// #[audit("wiki.page.save", timeout = 30, retry(max = 3, initial = "1s"))]
/// #[audit("wiki.page.delete", "wiki.purge.#")]
/// async fn save(key: RoutingKey, page: Json) -> Result<(), BoxError> {
///     println!("{key}: {page}");
///     Ok(())
/// }
/// ```
#[doc = include_str!("docs/binding_keys.md")]
#[doc = include_str!("docs/handler.md")]
#[proc_macro_attribute]
pub fn audit(arguments: TokenStream, item: TokenStream) -> TokenStream {
    handler::handler(Attribute::Audit, arguments.into(), item.into()).into()
}

/// Registers a function as a handler of advisory messages: "this was done", sent *after* a change was made.
///
/// The function receives what is published to the exchange `react` under a matching routing key. Every handler has a queue
/// of its own, so each of them gets each message, in one of the processes.
///
/// ```
/// use bus_runtime::prelude::*;
///
/// #[react("wiki.{page}.edited", "wiki.{page}.deleted")]
/// async fn notify(page: u64, key: RoutingKey) {
///     println!("page {page}: {key}");
/// }
/// ```
#[doc = include_str!("docs/binding_keys.md")]
#[doc = include_str!("docs/handler.md")]
#[proc_macro_attribute]
pub fn react(arguments: TokenStream, item: TokenStream) -> TokenStream {
    handler::handler(Attribute::React, arguments.into(), item.into()).into()
}

/// Registers a function as a handler of one message type, which has a [`#[derive(Message)]`](macro@Message).
///
/// The first argument of the attribute is the type. Stacked for two types, the function has two queues, and takes neither
/// of the two types as an argument.
///
/// ```
/// use bus_runtime::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Message)]
/// #[command("user.create", reply = u64)]
/// struct CreateUser {
///     name: String,
/// }
///
/// #[message_handler(CreateUser, concurrency = 8)]
/// async fn create(user: CreateUser) -> Result<u64, BoxError> {
///     Ok(user.name.len() as u64)
/// }
/// ```
#[doc = include_str!("docs/handler.md")]
#[proc_macro_attribute]
pub fn message_handler(arguments: TokenStream, item: TokenStream) -> TokenStream {
    handler::handler(Attribute::MessageHandler, arguments.into(), item.into()).into()
}

/// Makes methods handlers: of an application class, which has an instance for each project and mount point, or of a singleton.
///
/// `#[audit]`, `#[react]` and `#[message_handler]` stand on the methods.
///
/// ```
/// use std::sync::Arc;
/// use bus_runtime::prelude::*;
///
/// struct Wiki {
///     mount_point: String,
/// }
///
/// #[controller("wiki")]
/// impl Wiki {
///     /// Called for the instance at the message's project and mount point.
///     #[audit("wiki.{page}.save")]
///     async fn save(&self, page: String, text: Json<String>) -> Result<(), BoxError> {
///         println!("{} saves {page}", self.mount_point);
///         Ok(())
///     }
///
///     /// Called for every instance in the message's project.
///     #[react("scm.#")]
///     async fn on_commit(&self, commit: Json) -> Result<(), BoxError> {
///         Ok(())
///     }
///
///     /// Called once.
///     #[react("wiki.#")]
///     async fn count(key: RoutingKey) {}
/// }
///
/// impl Instances for Wiki {
///     async fn at(ctx: &Context) -> Result<Option<Arc<Self>>, BoxError> {
///         let wiki = |mount_point: &str| Arc::new(Wiki { mount_point: mount_point.to_owned() });
///         Ok(ctx.mount_point().map(wiki))
///     }
///
///     async fn all(ctx: &Context) -> Result<Vec<Arc<Self>>, BoxError> {
///         Ok(Self::at(ctx).await?.into_iter().collect())
///     }
/// }
/// ```
#[doc = include_str!("docs/controller.md")]
#[proc_macro_attribute]
pub fn controller(arguments: TokenStream, item: TokenStream) -> TokenStream {
    controller::controller(arguments.into(), item.into()).into()
}

/// Makes a type a message: it can be published, and taken as an argument of a handler.
///
/// ```
/// use bus_runtime::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Message)]
/// #[event("user.created", version = 2)]
/// struct UserCreated {
///     user_id: u64,
/// }
///
/// assert_eq!(UserCreated::TOPIC, "user.created");
/// assert_eq!(UserCreated::VERSION, 2);
/// ```
#[doc = include_str!("docs/message.md")]
#[proc_macro_derive(Message, attributes(event, task, command))]
pub fn message(item: TokenStream) -> TokenStream {
    message::derive(item.into()).into()
}

/// Runs an async test with an app of its own: with the handlers that are linked into the test's binary, on an embedded broker, and
/// with a clock that stands still until the test moves it.
///
/// The test takes the app as a `TestBus`, and what the app was given as `State<T>`, or nothing. It returns nothing or a `Result`.
/// `#[ignore]` and `#[should_panic]` mean what they always do. It needs the feature `testing`.
///
/// | option | default | meaning |
/// |---|---|---|
/// | `app = build` | `bus_runtime::app` | the function that makes the app: its state, its layers, its instances |
/// | `handlers("wiki::*")` | all | only these handlers, chosen as by `--handlers` |
/// | `on(embedded, rabbitmq)` | | the same test on each of these brokers, as two tests: `name::embedded` and `name::rabbitmq` |
/// | `crate = path` | `::bus_runtime` | where generated code finds the runtime, for a facade |
///
/// ```
/// use bus_runtime::prelude::*;
///
/// struct Greeting { text: &'static str }
///
/// #[react("visitor.{name}.came")]
/// async fn greet(name: String, greeting: State<Greeting>) {
///     println!("{}, {name}", greeting.text);
/// }
///
/// fn app() -> bus_runtime::App {
///     bus_runtime::app().state(Greeting { text: "hello" })
/// }
///
/// #[bus_runtime::test(app = app)]
/// async fn visitors_are_greeted(bus: TestBus, greeting: State<Greeting>) {
///     assert_eq!(greeting.text, "hello");
///     bus.react("visitor.Ada.came", &()).await;
///     bus.settled().await;
///     bus.handler(greet).called_once();
/// }
///
/// #[bus_runtime::test(app = app, on(embedded, rabbitmq))]
/// async fn on_every_broker(bus: TestBus<RealTime>) -> Result<(), BoxError> {
///     bus.react("visitor.Ada.came", &()).await;
///     bus.settled().await;
///     bus.handler(greet).called_once();
///     Ok(())
/// }
/// ```
///
/// # A real broker
///
/// The test on RabbitMQ runs on the one of `BUS_TEST_AMQP_URL`, such as `amqp://guest:guest@localhost`. What it declares has names of
/// its own and is deleted afterwards. Without that variable it says that it was not run, and passes; it fails with
/// `BUS_TEST_REQUIRE_RABBITMQ=1`. A broker knows no virtual time, so `advance` is not there with `on(..)`.
#[proc_macro_attribute]
pub fn test(arguments: TokenStream, item: TokenStream) -> TokenStream {
    test::test(arguments.into(), &item.into()).into()
}

/// Lets an error type say, for each of its variants, what it means for the message that a handler failed with.
///
/// ```
/// use bus_runtime::{HandlerError, prelude::*};
///
/// #[derive(Debug, HandlerError)]
/// enum MailError {
///     /// Trying again may help: by the handler's retry policy.
///     #[retry]
///     Refused,
///     /// Trying again helps, but not soon.
///     #[retry(after = "5m")]
///     Throttled,
///     /// Nothing will be sent for a while: the whole handler rests.
///     #[pause("30s")]
///     Away,
///     /// Trying again is no use.
///     #[dead_letter]
///     NoSuchAddress(String),
///     /// Nothing is lost.
///     #[discard]
///     AlreadySent,
/// }
///
/// impl std::fmt::Display for MailError {
///     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
///         write!(f, "{self:?}")
///     }
/// }
///
/// impl std::error::Error for MailError {}
///
/// #[react("order.shipped", on_error = "requeue")]
/// async fn notify(address: Json<String>) -> Result<(), MailError> {
///     Err(MailError::NoSuchAddress(address.0))
/// }
/// ```
#[doc = include_str!("docs/handler_error.md")]
#[proc_macro_derive(HandlerError, attributes(retry, dead_letter, discard, pause, handler_error))]
pub fn handler_error(item: TokenStream) -> TokenStream {
    handler_error::derive(item.into()).into()
}
