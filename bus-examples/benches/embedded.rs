//! Messages through the embedded broker to a typed JSON handler, beside its twin: encode, a bounded channel, decode, call.
//!
//! `cargo bench -p bus-examples --bench embedded [MESSAGES]`; rounds of both alternate, and the ratios are what counts.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a benchmark prints, and stops when it cannot go on"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

const MESSAGES_DEFAULT: u64 = 100_000;
const ROUNDS: usize = 5;
/// Publishes under way at once, and the room in the twin's channel.
const WINDOW: usize = 256;

/// About 200 bytes of JSON.
#[derive(Clone, Debug, Serialize, Deserialize, Message)]
#[event("bench.page.saved")]
struct PageSaved {
    page: String,
    author: String,
    revision: u64,
    tags: Vec<String>,
    summary: String,
}

impl PageSaved {
    fn new(revision: u64) -> Self {
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
struct Tally {
    handled: AtomicU64,
    wanted: AtomicU64,
    all: Notify,
}

impl Tally {
    fn add(&self, saved: &PageSaved) {
        assert!(!saved.page.is_empty());
        if self.handled.fetch_add(1, Ordering::Relaxed) + 1 == self.wanted.load(Ordering::Relaxed) {
            self.all.notify_one();
        }
    }

    fn expect(&self, count: u64) {
        self.handled.store(0, Ordering::Relaxed);
        self.wanted.store(count, Ordering::Relaxed);
    }
}

#[message_handler(PageSaved)]
async fn on_saved(saved: PageSaved, tally: State<Arc<Tally>>) {
    tally.add(&saved);
}

async fn through_the_bus(bus: &bus_runtime::Bus, tally: &Tally, messages: u64) {
    tally.expect(messages);
    let mut under_way = tokio::task::JoinSet::new();
    for lane in 0..WINDOW as u64 {
        let publisher = bus.publisher();
        under_way.spawn(async move {
            for revision in (lane..messages).step_by(WINDOW) {
                publisher.publish(&PageSaved::new(revision)).await.expect("published");
            }
        });
    }
    under_way.join_all().await;
    tally.all.notified().await;
}

async fn through_a_channel(tally: &Arc<Tally>, messages: u64) {
    tally.expect(messages);
    let (sender, mut receiver) = tokio::sync::mpsc::channel::<Bytes>(WINDOW);
    let counted = Arc::clone(tally);
    let receiving = async move {
        while let Some(body) = receiver.recv().await {
            counted.add(&serde_json::from_slice(&body).expect("decoded"));
        }
    };
    let sending = async move {
        for revision in 0..messages {
            let body = serde_json::to_vec(&PageSaved::new(revision)).expect("encoded");
            sender.send(body.into()).await.expect("received");
        }
    };
    tokio::join!(receiving, sending);
    tally.all.notified().await;
}

/// One round: wall time and the CPU time of the whole process.
struct Round {
    wall: Duration,
    cpu: Duration,
}

async fn measured(round: impl Future<Output = ()>) -> Round {
    let (started, cpu) = (Instant::now(), cpu_time());
    round.await;
    Round { wall: started.elapsed(), cpu: cpu_time().saturating_sub(cpu) }
}

/// What the process has used of the processors, in steps of the kernel's clock tick (10 ms): proc(5).
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = [11, 12].iter().filter_map(|at| fields.get(*at)?.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn report(name: &str, rounds: &[Round], messages: u64) -> f64 {
    let per_second = median(rounds.iter().map(|round| messages as f64 / round.wall.as_secs_f64()).collect());
    let micros = median(rounds.iter().map(|round| round.cpu.as_secs_f64() * 1e6 / messages as f64).collect());
    println!("{name:<10} {per_second:>10.0} messages/s   {micros:>6.2} µs of CPU each");
    micros
}

fn main() {
    // `cargo test` runs benches too, and `cargo bench` passes its own flags: a number is ours.
    let messages =
        std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(MESSAGES_DEFAULT);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let tally = Arc::new(Tally::default());
        let config = bus_runtime::Config::default();
        let app = bus_runtime::app().config(config).embedded(&bus_runtime::EmbeddedBroker::new());
        let bus = app.state(Arc::clone(&tally)).start().await.expect("started");
        let (mut ours, mut twins) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(measured(through_the_bus(&bus, &tally, messages)).await);
            twins.push(measured(through_a_channel(&tally, messages)).await);
        }
        let ratio = report("bus", &ours, messages) / report("channel", &twins, messages);
        println!("the bus costs {ratio:.2} times the CPU of the channel");
        bus.shutdown().await;
    });
}
