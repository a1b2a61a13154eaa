//! One handler as a test sees it: what it has done, as assertions, and what it is to do instead.

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::call::{Call, Ending};
use super::core::Core;
use super::misses::misses;
use super::script::HandlerFault;
use crate::counters::Counters;
use crate::delivery::Delivery;
use crate::outcome::{IntoHandlerError, IntoOutcome};
use crate::topology::HandlerEntry;

/// One handler: what it has done, and what it is to do instead. From [`TestBus::handler`](super::TestBus::handler).
///
/// Attempts after the first count as calls. A method of instances is called once for each instance.
#[must_use = "a probe asserts nothing until it is asked"]
pub struct HandlerProbe<'b> {
    core: &'b Core,
    name: &'static str,
    identity: TypeId,
    entries: Vec<(&'b Arc<HandlerEntry>, &'b Arc<Counters>)>,
}

impl<'b> HandlerProbe<'b> {
    /// The handler with this function; nothing when the app has none.
    pub(super) fn find(core: &'b Core, name: &'static str, identity: TypeId) -> Option<Self> {
        let running = core.bus.running();
        let entries = running.plan.handlers.iter().zip(&running.counters);
        let entries: Vec<_> = entries.filter(|(entry, _)| (entry.identity)() == identity).collect();
        (!entries.is_empty()).then_some(Self { core, name, identity, entries })
    }

    /// Its calls, in the order in which they began: what it was called with, and how each ended.
    ///
    /// ```standalone_crate
    /// use bus_runtime::prelude::*;
    ///
    /// #[react("page.{page}.viewed")]
    /// async fn count(page: String, views: Json<u32>) {
    ///     println!("{page}: {views:?}");
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let bus = TestBus::start(bus_runtime::app()).await;
    /// bus.react("page.home.viewed", &3).await;
    /// bus.settled().await;
    /// let calls = bus.handler(count).calls();
    /// assert_eq!(calls[0].routing_key(), "page.home.viewed");
    /// assert_eq!(calls[0].json::<u32>(), 3);
    /// # }
    /// ```
    #[must_use]
    pub fn calls(&self) -> Vec<Call> {
        self.core.journal.calls_of(self.identity)
    }

    /// Its only call.
    ///
    /// # Panics
    /// When there is none, or more than one.
    #[must_use = "`called_once` asserts without the call"]
    #[track_caller]
    pub fn call(&self) -> Call {
        self.called_once();
        self.calls().swap_remove(0)
    }

    /// How often a handler with `batch(..)` was called; [`calls`](Self::calls) has its messages.
    ///
    /// ```standalone_crate
    /// use bus_runtime::prelude::*;
    ///
    /// #[react("page.viewed", batch(size = 3, wait = "10s"))]
    /// async fn count(views: Vec<Json>) {
    ///     assert!(views.len() <= 3);
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let bus = TestBus::start(bus_runtime::app()).await;
    /// for view in 0..7 {
    ///     bus.react("page.viewed", &view).await;
    /// }
    /// bus.settled().await;
    /// bus.handler(count).called(7);
    /// assert_eq!(bus.handler(count).batches(), 3); // 3, 3 and, ten seconds later, 1
    /// # }
    /// ```
    #[must_use]
    pub fn batches(&self) -> u64 {
        self.entries.iter().map(|(_, counters)| counters.batches.get()).sum()
    }

    /// Asserts that it was called exactly once.
    ///
    /// # Panics
    /// When it was not.
    #[track_caller]
    pub fn called_once(&self) {
        self.called(1);
    }

    /// Asserts that it was called exactly so often.
    ///
    /// # Panics
    /// When it was not.
    #[track_caller]
    pub fn called(&self, wanted: usize) {
        let calls = self.calls();
        if calls.len() != wanted {
            let more = if calls.len() < wanted { self.misses() } else { String::new() };
            panic!(
                "{} was called {}, not {}\n{more}{}",
                self.name,
                times(calls.len()),
                times(wanted),
                self.core.story()
            );
        }
    }

    /// Asserts that it was never called.
    ///
    /// # Panics
    /// When it was.
    #[track_caller]
    pub fn not_called(&self) {
        self.called(0);
    }

    /// Asserts how many of its calls have succeeded.
    ///
    /// # Panics
    /// When there are not so many.
    #[track_caller]
    pub fn handled(&self, wanted: usize) {
        self.ended("succeeded", wanted, |ending| *ending == Ending::Handled);
    }

    /// Asserts how many of its calls have failed, with an error, a panic or a timeout.
    ///
    /// # Panics
    /// When there are not so many.
    #[track_caller]
    pub fn failed(&self, wanted: usize) {
        let failed =
            |ending: &Ending| matches!(ending, Ending::Failed(_) | Ending::Panicked(_) | Ending::TimedOut(_));
        self.ended("failed", wanted, failed);
    }

    /// Asserts how many of its calls have panicked.
    ///
    /// # Panics
    /// When there are not so many.
    #[track_caller]
    pub fn panicked(&self, wanted: usize) {
        self.ended("panicked", wanted, |ending| matches!(ending, Ending::Panicked(_)));
    }

    /// Asserts how many of its calls took longer than its timeout.
    ///
    /// # Panics
    /// When there are not so many.
    #[track_caller]
    pub fn timed_out(&self, wanted: usize) {
        self.ended("timed out", wanted, |ending| matches!(ending, Ending::TimedOut(_)));
    }

    #[track_caller]
    fn ended(&self, how: &str, wanted: usize, is: impl Fn(&Ending) -> bool) {
        let found = self.calls().iter().filter(|call| call.ending().is_some_and(&is)).count();
        assert!(
            found == wanted,
            "{} {how} {}, not {}\n{}",
            self.name,
            times(found),
            times(wanted),
            self.core.story()
        );
    }

    /// Lets it fail with this error from now on, without being called, as if it had returned the error. A type with
    /// `#[derive(HandlerError)]` decides as it would from the handler.
    ///
    /// ```standalone_crate
    /// use bus_runtime::prelude::*;
    ///
    /// #[react("order.{number}.pay", retry(max = 3, initial = "1s"))]
    /// async fn pay(number: u64) {
    ///     println!("{number} is paid");
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let bus = TestBus::start(bus_runtime::app()).await;
    /// bus.handler(pay).fails_with("the bank is closed").times(2);
    /// bus.react("order.7.pay", &()).await;
    /// bus.advance(Duration::from_secs(10)).await;
    /// bus.handler(pay).called(3);
    /// bus.handler(pay).failed(2);
    /// bus.dead_letters().none();
    /// # }
    /// ```
    pub fn fails_with<E: IntoHandlerError + Clone + Send + Sync + 'static>(&self, error: E) -> HandlerFault {
        HandlerFault::fails(&self.core.journal, self.identity, error)
    }

    /// Lets it panic from now on, without being called.
    pub fn panics(&self) -> HandlerFault {
        HandlerFault::panics(&self.core.journal, self.identity)
    }

    /// Lets it hang from now on, until its timeout ends it. One without a timeout keeps the bus from settling.
    pub fn hangs(&self) -> HandlerFault {
        HandlerFault::hangs(&self.core.journal, self.identity)
    }

    /// Lets it begin so much later from now on, which counts for its timeout.
    pub fn slow(&self, time: Duration) -> HandlerFault {
        HandlerFault::slow(&self.core.journal, self.identity, time)
    }

    /// Calls this instead of the handler from now on. What it returns means what it would mean from the handler; for the reply of
    /// a command there is [`TestBus::stub_command`](super::TestBus::stub_command).
    ///
    /// Layers, timeout and retries are those of the handler. An argument is made of the delivery as for a handler:
    /// `Context::from_delivery(delivery)`.
    ///
    /// ```standalone_crate
    /// use bus_runtime::prelude::*;
    ///
    /// #[react("order.paid")]
    /// async fn print_label() {
    ///     unreachable!("there is no printer here");
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread", start_paused = true)]
    /// # async fn main() {
    /// let bus = TestBus::start(bus_runtime::app()).await;
    /// bus.handler(print_label).stub(|_| ack());
    /// bus.react("order.paid", &7).await;
    /// bus.settled().await;
    /// bus.handler(print_label).handled(1);
    /// # }
    /// ```
    pub fn stub<T: IntoOutcome>(&self, stub: impl Fn(&Delivery) -> T + Send + Sync + 'static) {
        let stub = Arc::new(move |delivery: &Delivery| Ok(stub(delivery).into_outcome()));
        self.core.journal.script().stub(self.identity, stub);
    }

    /// The names of the handler, as dead letters have them: a function with several attributes is several handlers.
    pub(super) fn names(&self) -> Vec<&'b str> {
        self.entries.iter().map(|(entry, _)| entry.name.as_str()).collect()
    }

    /// Their queues: all that a dead letter tells which the broker has moved.
    pub(super) fn queues(&self) -> Vec<&'b str> {
        self.entries.iter().map(|(entry, _)| &*entry.queue as &str).collect()
    }

    /// Why it was not called for what was published.
    fn misses(&self) -> String {
        let entries = self.entries.iter().map(|(entry, _)| &***entry);
        misses(entries, &self.core.journal)
    }
}

fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        many => format!("{many} times"),
    }
}

impl fmt::Debug for HandlerProbe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerProbe")
            .field("name", &self.name)
            .field("calls", &self.calls().len())
            .finish_non_exhaustive()
    }
}
