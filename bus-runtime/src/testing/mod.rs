//! A bus for the tests of handlers: a broker of its own, virtual time, questions about what happened, and trouble on request.
//!
//! # A test
//!
//! [`#[bus_runtime::test]`](macro@crate::test) starts an app for one test and gives it as a [`TestBus`]. Whatever is linked into the
//! test's binary is in the app; each test has an app and a broker of its own, so tests run side by side and see nothing of each
//! other.
//!
//! ```
//! use bus_runtime::prelude::*;
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, Serialize, Deserialize, Message)]
//! #[event("page.indexed", terminal)]
//! struct PageIndexed { page: String }
//!
//! #[react("wiki.{page}.edited")]
//! async fn index(page: String, bus: Publisher) -> Result<(), BoxError> {
//!     bus.publish(&PageIndexed { page }).await?;
//!     Ok(())
//! }
//!
//! #[bus_runtime::test]
//! async fn an_edited_page_is_indexed(bus: TestBus) {
//!     bus.react("wiki.home.edited", &()).await;
//!     bus.settled().await;
//!     bus.handler(index).called_once();
//!     assert_eq!(bus.published::<PageIndexed>().one().page, "home");
//!     bus.no_failures();
//! }
//! ```
//!
//! # What happened
//!
//! [`settled`](TestBus::settled) waits until nothing is queued, in flight or due now, with everything that handlers have published. It
//! counts messages and does not wait for silence. Then there are questions, and each that is not answered as it should be panics with
//! the [`timeline`](TestBus::timeline) of the test: [`handler`](TestBus::handler) by the function itself,
//! [`published`](TestBus::published), [`published_to`](TestBus::published_to), [`dead_letters`](TestBus::dead_letters),
//! [`no_failures`](TestBus::no_failures). A handler that was not called tells, for each message, why it is not bound to it.
//!
//! # Time
//!
//! The clock of a test is virtual: it moves with [`advance`](TestBus::advance) alone, and while the test waits for something that
//! takes time, such as a handler that sleeps. A day of retries takes milliseconds. Retries are not jittered here, so a test sees the
//! same times on each run.
//!
//! # Trouble
//!
//! Handlers: [`fails_with`](HandlerProbe::fails_with), [`panics`](HandlerProbe::panics), [`hangs`](HandlerProbe::hangs),
//! [`slow`](HandlerProbe::slow), each for so many [`times`](HandlerFault::times). The broker and the line to it:
//! [`duplicate_next`](TestBus::duplicate_next), [`nack_next`](TestBus::nack_next), [`lose_next_confirm`](TestBus::lose_next_confirm),
//! [`crash_before_ack`](TestBus::crash_before_ack), [`redeliver_late`](TestBus::redeliver_late), [`reorder`](TestBus::reorder),
//! [`drop_connection`](TestBus::drop_connection).
//!
//! # What is not there
//!
//! [`stub`](HandlerProbe::stub) calls a closure instead of a handler, [`stub_command`](TestBus::stub_command) answers a command, also
//! one whose handler lives in another program. [`App::override_state`](crate::App::override_state) gives handlers a mailer that keeps
//! the letters.
//!
//! # A real broker
//!
//! `#[bus_runtime::test(on(embedded, rabbitmq))]` runs one body on both. Its bus is a `TestBus<RealTime>`, which has no `advance` and
//! makes no trouble on the line, since nobody can on a broker that others use too.

use std::any::TypeId;
use std::fmt;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::{App, Bus};
use crate::binding_key::BindingKey;
use crate::config::Config;
use crate::error::{BoxError, Error};
use crate::extract::State;
use crate::message::{Command, Message, Publishable};
use crate::publish::Publish;
use crate::transport::embedded::EmbeddedBroker;

mod arguments;
mod attribute;
mod call;
mod core;
mod dead_letters;
mod journal;
mod link;
mod misses;
mod probe;
mod published;
#[cfg(feature = "rabbitmq")]
mod rabbitmq;
mod script;
mod simulation;
mod stand_in;
mod time;
mod timeline;
mod topology;
mod trouble;

pub use arguments::{FromTestBus, TestOutput};
pub use call::{Call, Ending};
pub use dead_letters::{DeadLetter, DeadLetters};
pub use link::BrokerFault;
pub use probe::HandlerProbe;
pub use published::{Published, PublishedMessage, PublishedTo};
pub use script::HandlerFault;
pub use simulation::{Process, Simulated, Simulations, note, process, simulate};
pub use time::{RealTime, Time, VirtualTime};

#[doc(hidden)]
pub use attribute::Settings;
pub(crate) use attribute::{on_embedded, on_rabbitmq, without_bus};

use self::core::{Core, expect, help};
use journal::Journal;
use link::Link;

/// A bus for the tests of handlers. Each has a broker of its own, so tests run side by side. See the [module](self) for a tour.
///
/// It asserts instead of returning errors: what goes wrong panics, and says what had happened until then. It is cheap to clone.
///
/// [`#[bus_runtime::test]`](macro@crate::test) starts it. Inside of another runtime, [`start`](TestBus::start) does:
///
/// ```standalone_crate
/// use bus_runtime::prelude::*;
///
/// #[react("wiki.#")]
/// async fn on_wiki(key: RoutingKey) {
///     println!("{key}");
/// }
///
/// #[tokio::test(start_paused = true)]
/// # async fn hidden() {}
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() { it_is_called().await }
/// async fn it_is_called() {
///     let bus = TestBus::start(bus_runtime::app()).await;
///     bus.react("wiki.home.edited", &()).await;
///     bus.settled().await;
///     bus.handler(on_wiki).called_once();
/// }
/// ```
pub struct TestBus<T: Time = VirtualTime> {
    core: Arc<Core>,
    time: PhantomData<T>,
}

impl<T: Time> TestBus<T> {
    /// An app on an embedded broker of its own.
    async fn on_embedded(mut app: App) -> Self {
        app.config.get_or_insert_with(Config::default).http = None;
        let broker = EmbeddedBroker::new();
        let journal = Arc::new(Journal::new());
        let link = Link::to_embedded(&broker, &journal);
        let app = app.by_way_of(&broker, Arc::clone(&link) as _).witnessed_by(Arc::clone(&journal) as _);
        let bus = expect("start", app.start().await);
        Self::new(Core {
            bus,
            link,
            broker: Some(broker),
            #[cfg(feature = "rabbitmq")]
            url: None,
            journal,
            letters: Mutex::default(),
        })
    }

    fn new(core: Core) -> Self {
        Self { core: Arc::new(core), time: PhantomData }
    }

    /// Publishes an event or a task.
    ///
    /// # Panics
    /// When it cannot be published.
    ///
    /// # Cancel safety
    /// When the future is dropped, it may have been published or not.
    pub async fn publish<M: Message>(&self, message: &M)
    where
        M::Kind: Publishable,
    {
        self.send(self.core.bus.publish(message)).await;
    }

    /// Publishes on the `react` exchange.
    ///
    /// # Panics
    /// When it cannot be published.
    ///
    /// # Cancel safety
    /// As [`publish`](Self::publish).
    pub async fn react<B: Serialize + ?Sized>(&self, key: &str, body: &B) {
        self.send(self.core.bus.react(key, body)).await;
    }

    /// Publishes on the `audit` exchange.
    ///
    /// # Panics
    /// When it cannot be published, or nobody receives it.
    ///
    /// # Cancel safety
    /// As [`publish`](Self::publish).
    pub async fn audit<B: Serialize + ?Sized>(&self, key: &str, body: &B) {
        self.send(self.core.bus.audit(key, body)).await;
    }

    /// Publishes bytes as they are, such as a body that cannot be decoded.
    ///
    /// # Panics
    /// When it cannot be published, or nobody receives it.
    ///
    /// # Cancel safety
    /// As [`publish`](Self::publish).
    pub async fn publish_raw(&self, exchange: &str, key: &str, body: impl Into<Bytes>) {
        self.send(self.core.bus.publish_raw(exchange, key, body)).await;
    }

    /// Sends what one of the bus's own methods has made, such as a message with headers or a delay.
    ///
    /// # Panics
    /// When it cannot be published.
    ///
    /// # Cancel safety
    /// As [`publish`](Self::publish).
    pub async fn send(&self, publish: Publish) {
        if let Err(error) = publish.await {
            panic!("can't publish: {error}{}\n{}", help(&error), self.core.story());
        }
    }

    /// Executes a command.
    ///
    /// # Errors
    /// As [`Publisher::execute`](crate::Publisher::execute): a failing command is something to test.
    ///
    /// # Cancel safety
    /// When the future is dropped, the command may be handled or not.
    pub async fn execute<M, R>(&self, command: M) -> Result<R, Error>
    where
        M: Message<Kind = Command<R>>,
        R: DeserializeOwned + 'static,
    {
        self.core.bus.execute(command).await
    }

    /// Waits until nothing is queued, in flight or due now, with everything that handlers have published. Messages that are
    /// delayed into the future stay there: see [`advance`](TestBus::advance).
    ///
    /// On the embedded broker it counts. RabbitMQ cannot be seen into: there it looks at the queues until they are found empty
    /// three times, with nothing being handled.
    ///
    /// # Panics
    /// When the bus does not settle within an hour of virtual time, or a minute of real time; and when handlers are called
    /// 50 000 times meanwhile, because messages go in a circle.
    ///
    /// # Cancel safety
    /// Safe to cancel.
    pub async fn settled(&self) {
        let core = &self.core;
        let settled = self.unless_in_a_circle(tokio::time::timeout(T::SETTLE_MAX, core.bus.settled())).await;
        match settled {
            Ok(settled) => expect("settle", settled),
            Err(_) => panic!(
                "the bus does not settle within {:?}: a handler runs on, or messages come back again and again\n{}",
                T::SETTLE_MAX,
                core.story()
            ),
        }
        expect("show its dead letters", core.look_for_letters().await);
    }

    /// Waits, but not for messages that go in a circle.
    async fn unless_in_a_circle<O>(&self, wait: impl Future<Output = O>) -> O {
        let journal = &self.core.journal;
        journal.waits();
        tokio::select! {
            biased;
            () = journal.goes_in_a_circle() => {
                // The whole of it would be too much to read.
                let timeline = self.timeline();
                let last: Vec<_> = timeline.lines().rev().take(LAST_LINES).collect();
                let last: Vec<_> = last.into_iter().rev().collect();
                panic!("messages go in a circle; the last of them:\n{}", last.join("\n"))
            }
            output = wait => output,
        }
    }

    /// A handler, by the function itself: what it has done, and what it is to do instead. A method of a controller is
    /// `Wiki::save`.
    ///
    /// # Panics
    /// When the function is no handler of the app.
    #[track_caller]
    pub fn handler<F: 'static>(&self, _function: F) -> HandlerProbe<'_> {
        let name = std::any::type_name::<F>();
        match HandlerProbe::find(&self.core, name, TypeId::of::<F>()) {
            Some(probe) => probe,
            None => panic!("{name} is no handler of this app; it has\n{}", self.handlers()),
        }
    }

    fn handlers(&self) -> String {
        let handlers = self.core.bus.plan().handlers.iter();
        handlers.map(|entry| format!("  {} {}\n", entry.kind.as_str(), entry.name)).collect()
    }

    /// What was published of a message type.
    pub fn published<M: Message>(&self) -> Published<'_, M> {
        Published::new(&self.core)
    }

    /// What was published under routing keys that match this binding key, such as `wiki.#`, on whichever exchange.
    ///
    /// # Panics
    /// When it is no binding key.
    #[track_caller]
    pub fn published_to(&self, key: &str) -> PublishedTo<'_> {
        match BindingKey::parse(key) {
            Ok(key) => PublishedTo::new(&self.core, key),
            Err(error) => panic!("`{key}` is no binding key: {error}"),
        }
    }

    /// What is with the dead letters, of all queues. On RabbitMQ, what was there when the bus had [`settled`](Self::settled).
    pub fn dead_letters(&self) -> DeadLetters<'_> {
        DeadLetters::new(&self.core)
    }

    /// What is with the dead letters of one handler.
    ///
    /// # Panics
    /// When the function is no handler of the app.
    #[track_caller]
    pub fn dead_letters_of<F: 'static>(&self, function: F) -> DeadLetters<'_> {
        let probe = self.handler(function);
        DeadLetters::new(&self.core).of(&probe.names(), &probe.queues())
    }

    /// Asserts that no handler has panicked or timed out, and that there is no dead letter. Calls that the test itself has made
    /// fail do not count, but what became of their messages does.
    ///
    /// # Panics
    /// When there was one.
    #[track_caller]
    pub fn no_failures(&self) {
        let calls = self.core.journal.calls();
        let failed = calls.iter().filter(|call| {
            !call.on_purpose && matches!(call.ending(), Some(Ending::Panicked(_) | Ending::TimedOut(_)))
        });
        let failed = failed.filter_map(|call| Some(format!("  {} {}\n", call.handler, call.ending()?)));
        let told: String = failed.collect();
        assert!(told.is_empty(), "there were failures\n{told}{}", self.core.story());
        self.dead_letters().none();
    }

    /// Answers a command, instead of its handler or because its handler lives in another program: that one would get it over the
    /// broker and send the reply back, and so does the stub.
    ///
    /// ```standalone_crate
    /// use bus_runtime::prelude::*;
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize, Message)]
    /// #[command("tax.of", reply = u64)]
    /// struct TaxOf { price: u64 }
    ///
    /// #[react("order.{number}.paid")]
    /// async fn invoice(number: u64, price: Json<u64>, bus: Publisher) -> Result<(), BoxError> {
    ///     let tax = bus.execute(TaxOf { price: price.0 }).await?;
    ///     println!("invoice {number}: {} and {tax} of tax", price.0);
    ///     Ok(())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let bus = TestBus::start(bus_runtime::app()).await;
    /// bus.stub_command(|TaxOf { price }| Ok(price / 5)).await;
    /// bus.react("order.7.paid", &100).await;
    /// bus.settled().await;
    /// bus.handler(invoice).handled(1);
    /// assert_eq!(bus.published::<TaxOf>().one().price, 100);
    /// # }
    /// ```
    ///
    /// # Panics
    /// When the broker does not let it be declared.
    ///
    /// # Cancel safety
    /// When the future is dropped, the command may be answered or not.
    pub async fn stub_command<M, R>(&self, answer: impl Fn(M) -> Result<R, BoxError> + Send + Sync + 'static)
    where
        M: Message<Kind = Command<R>>,
        R: Serialize + 'static,
    {
        expect("let a command be answered", stand_in::answer(&self.core, answer).await);
    }

    /// What was given to the app, for handlers and for the test.
    ///
    /// # Panics
    /// When the app was given nothing of that type.
    #[must_use]
    #[track_caller]
    pub fn state<S: Send + Sync + 'static>(&self) -> State<S> {
        match self.core.bus.running().hub.state.get() {
            Some(state) => State(state),
            None => panic!("the app has no state of type {}", std::any::type_name::<S>()),
        }
    }

    /// What has happened until now, a line for each event: for snapshots, and for people. It is the same on each run: messages are
    /// numbered in the order in which they were published, and times count from the start.
    ///
    /// ```standalone_crate
    /// use bus_runtime::prelude::*;
    ///
    /// #[react("order.{number}.pay", retry(max = 1, initial = "1s"))]
    /// async fn pay(number: u64) {
    ///     println!("{number} is paid");
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let bus = TestBus::start(bus_runtime::app()).await;
    /// bus.handler(pay).fails_with("the bank is closed").times(1);
    /// bus.react("order.7.pay", &()).await;
    /// bus.advance(Duration::from_secs(2)).await;
    /// let verbs: Vec<_> = bus.timeline().lines().map(|line| line[19..31].trim().to_owned()).collect();
    /// assert_eq!(verbs, ["published", "called", "fault", "failed", "delayed", "called", "handled"]);
    /// # }
    /// ```
    #[must_use]
    pub fn timeline(&self) -> String {
        self.core.timeline()
    }

    /// The exchanges, queues and bindings that the handlers need, a line for each: for snapshots. It is the same on each run.
    #[must_use]
    pub fn topology(&self) -> String {
        topology::text(self.core.bus.plan(), &self.core.bus.running().hub.settings)
    }

    /// The running app, for everything else.
    #[must_use]
    pub fn bus(&self) -> &Bus {
        &self.core.bus
    }
}

/// So many lines are enough to see a circle.
const LAST_LINES: usize = 40;

impl<T: Time> Clone for TestBus<T> {
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core), time: PhantomData }
    }
}

impl<T: Time> fmt::Debug for TestBus<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestBus").field("bus", &self.core.bus).finish_non_exhaustive()
    }
}
