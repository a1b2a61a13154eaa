//! A typed message of about 200 bytes, its handler, and its twin: encode, a bounded channel, decode, call.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use bus_runtime::Bus;
use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use super::measure::cpu_time;

/// The room in the twin's channel.
const ROOM: usize = 256;

/// About 200 bytes of JSON.
#[derive(Clone, Debug, Serialize, Deserialize, Message)]
#[event("bench.page.saved")]
pub(crate) struct PageSaved {
    page: String,
    author: String,
    revision: u64,
    tags: Vec<String>,
    summary: String,
}

impl PageSaved {
    pub(crate) fn new(revision: u64) -> Self {
        Self {
            page: "guides/message-bus".to_owned(),
            author: "ann@example.org".to_owned(),
            revision,
            tags: vec!["docs".to_owned(), "bus".to_owned()],
            summary: "Describe what happens to a message between the exchange and the handler".to_owned(),
        }
    }
}

/// Counts what was handled, and tells when it is all.
#[derive(Default)]
pub(crate) struct Tally {
    handled: AtomicU64,
    wanted: AtomicU64,
    all: Notify,
    spent: Mutex<(Duration, Duration)>,
    is_timed: AtomicBool,
    latencies: Mutex<Vec<Duration>>,
}

impl Tally {
    pub(crate) fn add(&self, saved: &PageSaved) {
        assert!(!saved.page.is_empty());
        if self.is_timed.load(Ordering::Relaxed) {
            self.arrived(saved);
        }
        self.count();
    }

    /// One more is handled.
    pub(crate) fn count(&self) {
        let (number, wanted) =
            (self.handled.fetch_add(1, Ordering::Relaxed) + 1, self.wanted.load(Ordering::Relaxed));
        if number == 1 {
            self.spent.lock().expect("nobody panics").0 = cpu_time();
        }
        if number == wanted {
            self.spent.lock().expect("nobody panics").1 = cpu_time();
            self.all.notify_one();
        }
    }

    /// What the process has used of the processors between the first message and the last.
    pub(crate) fn spent(&self) -> Duration {
        let (first, last) = *self.spent.lock().expect("nobody panics");
        last.saturating_sub(first)
    }

    /// From now on messages tell when they were sent, in nanoseconds since the beginning.
    pub(crate) fn time(&self) {
        self.is_timed.store(true, Ordering::Relaxed);
    }

    fn arrived(&self, saved: &PageSaved) {
        let sent = Duration::from_nanos(saved.revision);
        self.latencies.lock().expect("nobody panics").push(since_the_beginning().saturating_sub(sent));
    }

    /// How long messages took, shortest first.
    pub(crate) fn latencies(&self) -> Vec<Duration> {
        self.is_timed.store(false, Ordering::Relaxed);
        let mut latencies = std::mem::take(&mut *self.latencies.lock().expect("nobody panics"));
        latencies.sort_unstable();
        latencies
    }

    pub(crate) fn expect(&self, count: u64) {
        self.handled.store(0, Ordering::Relaxed);
        self.wanted.store(count, Ordering::Relaxed);
    }

    /// Waits until all are handled.
    pub(crate) async fn all(&self) {
        self.all.notified().await;
    }
}

/// The time since this was first asked.
pub(crate) fn since_the_beginning() -> Duration {
    static BEGINNING: OnceLock<Instant> = OnceLock::new();
    BEGINNING.get_or_init(Instant::now).elapsed()
}

#[message_handler(PageSaved, concurrency = 16, prefetch = 100)]
async fn on_saved(saved: PageSaved, tally: State<Arc<Tally>>) {
    tally.add(&saved);
}

/// Publishes so many, one after the other, and waits until they are handled.
pub(crate) async fn through_the_bus(bus: &Bus, tally: &Tally, messages: u64) {
    tally.expect(messages);
    let publisher = bus.publisher();
    for revision in 0..messages {
        publisher.publish(&PageSaved::new(revision)).await.expect("published");
    }
    tally.all().await;
}

/// The same without a bus: in one task sent, in another received.
pub(crate) async fn through_a_channel(tally: &Arc<Tally>, messages: u64) {
    tally.expect(messages);
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Bytes>(ROOM);
    let counted = Arc::clone(tally);
    let receiving = tokio::spawn(async move {
        while let Some(body) = receiver.recv().await {
            counted.add(&serde_json::from_slice(&body).expect("decoded"));
        }
    });
    for revision in 0..messages {
        let body = serde_json::to_vec(&PageSaved::new(revision)).expect("encoded");
        sender.send(body.into()).await.expect("received");
    }
    drop(sender);
    receiving.await.expect("received to the end");
    tally.all().await;
}

/// An app with this handler, on a broker of its own.
pub(crate) async fn start(tally: &Arc<Tally>) -> Bus {
    start_timing(tally, 1).await
}

/// The same, of which one message of so many is timed; 0 is none.
pub(crate) async fn start_timing(tally: &Arc<Tally>, one_of: u32) -> Bus {
    let mut config = bus_runtime::Config::default();
    config.metrics.one_of = one_of;
    let app = bus_runtime::app().config(config).embedded(&bus_runtime::EmbeddedBroker::new());
    app.state(Arc::clone(tally)).start().await.expect("started")
}
