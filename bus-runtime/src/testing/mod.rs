//! A bus for tests: an embedded broker of its own, virtual time, and questions about what happened.

use std::any::TypeId;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::app::{App, Bus};
use crate::config::Config;
use crate::envelope::{Envelope, header};
use crate::error::Error;
use crate::message::{Command, Message, Publishable};
use crate::publish::Publish;
use crate::seam;
use crate::transport::embedded::EmbeddedBroker;

mod dead_letters;
mod probe;
mod published;
mod simulation;

pub use dead_letters::{DeadLetter, DeadLetters};
pub use probe::HandlerProbe;
pub use published::Published;
pub use simulation::{Process, Simulated, Simulations, note, process, simulate};

/// A bus for the tests of handlers. Each has a broker of its own, so tests run side by side.
///
/// It asserts instead of returning errors: what goes wrong panics, and says what had happened until then.
///
/// ```standalone_crate
/// use bus_runtime::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, Serialize, Deserialize, Message)]
/// #[event("page.indexed")]
/// struct PageIndexed { page: String }
///
/// #[react("wiki.{page}.edited")]
/// async fn index(page: String, bus: Publisher) -> Result<(), BoxError> {
///     bus.publish(&PageIndexed { page }).await?;
///     Ok(())
/// }
///
/// #[tokio::test(start_paused = true)]
/// # async fn hidden() {}
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() { indexes().await }
/// async fn indexes() {
///     let bus = TestBus::start(bus_runtime::app()).await;
///     bus.react("wiki.home.edited", &()).await;
///     bus.settled().await;
///     bus.handler(index).called_once();
///     assert_eq!(bus.published::<PageIndexed>().one().page, "home");
///     bus.dead_letters().none();
/// }
/// ```
pub struct TestBus {
    bus: Bus,
    broker: EmbeddedBroker,
    log: Arc<Log>,
}

/// Every message that the broker has confirmed, in order.
#[derive(Default)]
pub(crate) struct Log(Mutex<Vec<Arc<Envelope>>>);

impl Log {
    fn add(&self, envelope: &Arc<Envelope>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(envelope));
    }

    pub(crate) fn all(&self) -> Vec<Arc<Envelope>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl TestBus {
    /// Starts an app on a broker of its own. The environment is not read, and no port is opened.
    ///
    /// # Panics
    /// When the app does not start.
    pub async fn start(mut app: App) -> Self {
        app.config.get_or_insert_with(Config::default).http = None;
        let broker = EmbeddedBroker::new();
        let log = Arc::new(Log::default());
        let observed = Arc::clone(&log);
        let app = app.embedded(&broker).observed_by(Arc::new(move |envelope| observed.add(envelope)));
        let bus = expect("start", app.start().await);
        Self { bus, broker, log }
    }

    /// Publishes an event or a task.
    ///
    /// # Panics
    /// When it cannot be published.
    pub async fn publish<M: Message>(&self, message: &M)
    where
        M::Kind: Publishable,
    {
        self.send(self.bus.publish(message)).await;
    }

    /// Publishes on the `react` exchange.
    ///
    /// # Panics
    /// When it cannot be published.
    pub async fn react<B: Serialize + ?Sized>(&self, key: &str, body: &B) {
        self.send(self.bus.react(key, body)).await;
    }

    /// Publishes on the `audit` exchange.
    ///
    /// # Panics
    /// When it cannot be published, or nobody receives it.
    pub async fn audit<B: Serialize + ?Sized>(&self, key: &str, body: &B) {
        self.send(self.bus.audit(key, body)).await;
    }

    /// Publishes bytes as they are, such as a body that cannot be decoded.
    ///
    /// # Panics
    /// When it cannot be published, or nobody receives it.
    pub async fn publish_raw(&self, exchange: &str, key: &str, body: impl Into<Bytes>) {
        self.send(self.bus.publish_raw(exchange, key, body)).await;
    }

    /// Sends what one of the bus's own methods has made, such as a message with headers or a delay.
    ///
    /// # Panics
    /// When it cannot be published.
    pub async fn send(&self, publish: Publish) {
        if let Err(error) = publish.await {
            panic!("can't publish: {error}{}\n{}", help(&error), self.story());
        }
    }

    /// Executes a command.
    ///
    /// # Errors
    /// As [`Publisher::execute`](crate::Publisher::execute): a failing command is something to test.
    pub async fn execute<M, R>(&self, command: M) -> Result<R, Error>
    where
        M: Message<Kind = Command<R>>,
        R: DeserializeOwned + 'static,
    {
        self.bus.execute(command).await
    }

    /// Waits until nothing is queued, in flight or due now, with everything that handlers have published. It counts; it does
    /// not wait for silence. Messages that are delayed into the future stay there: see [`advance`](Self::advance).
    ///
    /// # Panics
    /// When the bus does not settle within a minute of the clock that handlers see.
    pub async fn settled(&self) {
        let settled = tokio::time::timeout(SETTLE_MAX, self.bus.settled()).await;
        match settled {
            Ok(settled) => expect("settle", settled),
            Err(_) => panic!(
                "the bus does not settle: a handler runs on, or messages go in a circle\n{}",
                self.story()
            ),
        }
    }

    /// Moves the clock, from one message that is due to the next, and settles at each. Needs a paused clock:
    /// `#[tokio::test(start_paused = true)]`.
    ///
    /// # Panics
    /// When the clock is not paused, or the bus does not settle.
    pub async fn advance(&self, time: Duration) {
        let until = seam::now() + time;
        self.settled().await;
        while let Some(due) = self.broker.next_due().filter(|due| *due <= until) {
            tokio::time::advance(due.saturating_duration_since(seam::now())).await;
            self.settled().await;
        }
        tokio::time::advance(until.saturating_duration_since(seam::now())).await;
        self.settled().await;
    }

    /// Asks what a handler has done, by the function itself.
    ///
    /// # Panics
    /// When the function is no handler of the app.
    pub fn handler<F: 'static>(&self, _function: F) -> HandlerProbe<'_> {
        let running = self.bus.running();
        let entries = running.plan.handlers.iter().zip(&running.counters);
        let counters: Vec<_> = entries
            .filter(|(entry, _)| (entry.identity)() == TypeId::of::<F>())
            .map(|(_, counters)| counters)
            .collect();
        let name = std::any::type_name::<F>();
        assert!(!counters.is_empty(), "{name} is no handler of this app\n{}", self.story());
        HandlerProbe::new(self, name, counters)
    }

    /// Asks what was published of a message type.
    pub fn published<M: Message>(&self) -> Published<'_, M> {
        Published::new(self)
    }

    /// Asks what is with the dead letters, of all queues.
    pub fn dead_letters(&self) -> DeadLetters<'_> {
        let queues = self.bus.plan().queues.iter();
        let letters = queues.flat_map(|queue| self.broker.peek(&queue.dead)).map(DeadLetter::new).collect();
        DeadLetters::new(self, letters)
    }

    /// The running app, for everything else.
    #[must_use]
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// The broker under it.
    #[must_use]
    pub fn broker(&self) -> &EmbeddedBroker {
        &self.broker
    }

    pub(crate) fn log(&self) -> &Log {
        &self.log
    }

    /// What has happened until now: for panics, which must explain themselves.
    pub(crate) fn story(&self) -> String {
        let mut story = String::from("published until now:\n");
        for envelope in self.log.all() {
            story.push_str(&format!("  {}\n", line(&envelope)));
        }
        story.push_str("handlers:\n");
        for handler in self.bus.stats().handlers {
            story.push_str(&format!(
                "  {} {}: called {}, handled {}, failed {}, dead letters {}\n",
                handler.kind,
                handler.name,
                handler.called,
                handler.handled,
                handler.failed,
                handler.dead_lettered
            ));
        }
        story
    }
}

/// How long the bus may take to settle, on the clock that handlers see.
const SETTLE_MAX: Duration = Duration::from_secs(60);

fn line(envelope: &Envelope) -> String {
    let to = match &*envelope.exchange {
        "" => format!("to queue {}", envelope.routing_key),
        exchange => format!("{exchange}: {}", envelope.routing_key),
    };
    match envelope.headers.text(header::ERROR) {
        Some(error) => format!("{to} (after: {error})"),
        None => to,
    }
}

fn help(error: &Error) -> String {
    error.help().map(|help| format!(" ({help})")).unwrap_or_default()
}

fn expect<T>(what: &str, result: Result<T, Error>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("the bus does not {what}: {error}{}", help(&error)),
    }
}

impl fmt::Debug for TestBus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestBus").field("bus", &self.bus).finish_non_exhaustive()
    }
}
