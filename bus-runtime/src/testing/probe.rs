//! What one handler has done, as assertions.

use std::fmt;
use std::sync::Arc;

use super::TestBus;
use crate::counters::Counters;

/// What one handler has done. Attempts after the first count as calls.
#[must_use = "a probe asserts nothing until it is asked"]
pub struct HandlerProbe<'b> {
    bus: &'b TestBus,
    name: &'static str,
    counters: Vec<&'b Arc<Counters>>,
}

impl<'b> HandlerProbe<'b> {
    pub(super) fn new(bus: &'b TestBus, name: &'static str, counters: Vec<&'b Arc<Counters>>) -> Self {
        Self { bus, name, counters }
    }

    /// How often it was called.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.counters.iter().map(|counters| counters.called.get()).sum()
    }

    /// How often a handler with `batch(..)` was called; [`calls`](Self::calls) counts the messages.
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
    /// # async fn main() { counts().await }
    /// async fn counts() {
    ///     let bus = TestBus::start(bus_runtime::app()).await;
    ///     for view in 0..7 {
    ///         bus.react("page.viewed", &view).await;
    ///     }
    ///     bus.settled().await;
    ///     bus.handler(count).called(7);
    ///     assert_eq!(bus.handler(count).batches(), 3); // 3, 3 and, ten seconds later, 1
    /// }
    /// ```
    #[must_use]
    pub fn batches(&self) -> u64 {
        self.counters.iter().map(|counters| counters.batches.get()).sum()
    }

    /// Asserts that it was called exactly once.
    ///
    /// # Panics
    /// When it was not.
    pub fn called_once(&self) {
        self.called(1);
    }

    /// Asserts that it was called exactly so often.
    ///
    /// # Panics
    /// When it was not.
    pub fn called(&self, times: u64) {
        let calls = self.calls();
        assert!(
            calls == times,
            "{} was called {calls} times, not {times}\n{}{}",
            self.name,
            self.misses(),
            self.bus.story()
        );
    }

    /// Asserts that it was never called.
    ///
    /// # Panics
    /// When it was.
    pub fn never_called(&self) {
        self.called(0);
    }

    /// Why its binding keys did not match what was published on its exchange.
    fn misses(&self) -> String {
        let mut told = String::new();
        let running = self.bus.bus().running();
        for (entry, counters) in running.plan.handlers.iter().zip(&running.counters) {
            if !self.counters.iter().any(|own| Arc::ptr_eq(own, counters)) {
                continue;
            }
            for envelope in self.bus.log().all().iter().filter(|envelope| envelope.exchange == entry.exchange)
            {
                for key in &entry.keys {
                    if let Err(mismatch) = key.key.explain(&envelope.routing_key) {
                        told.push_str(&format!(
                            "  `{}` is not `{}`: {mismatch}\n",
                            envelope.routing_key, key.text
                        ));
                    }
                }
            }
        }
        told
    }
}

impl fmt::Debug for HandlerProbe<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandlerProbe")
            .field("name", &self.name)
            .field("calls", &self.calls())
            .finish_non_exhaustive()
    }
}
