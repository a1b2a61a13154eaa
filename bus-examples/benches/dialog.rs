//! What a command costs when its handler is in this process, beside the way over the embedded broker, and how long a message
//! takes from its publisher to its handler when nothing else is going on.
//!
//! `cargo bench -p bus-examples --bench dialog [COMMANDS]`; rounds of both alternate.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a benchmark prints, and stops when it cannot go on"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bus_runtime::prelude::*;
use bus_runtime::{Bus, EmbeddedBroker};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

const COMMANDS_DEFAULT: u32 = 50_000;
const ROUNDS: usize = 5;
/// How many messages are sent one by one, and how long nothing happens before each.
const IDLE: (u32, Duration) = (200, Duration::from_millis(5));

#[derive(Debug, Serialize, Deserialize, Message)]
#[command("bench.add", reply = u64)]
struct Add(u64, u64);

#[message_handler(Add)]
async fn add(Add(one, other): Add) -> Result<u64, BoxError> {
    Ok(one + other)
}

#[derive(Debug, Serialize, Deserialize, Message)]
#[event("bench.tick")]
struct Tick;

#[message_handler(Tick)]
async fn tick(_tick: Tick, handled: State<Arc<Notify>>) {
    handled.notify_one();
}

async fn commands(bus: &Bus, count: u32) -> Duration {
    let started = Instant::now();
    for number in 0..u64::from(count) {
        assert_eq!(bus.execute(Add(number, 1)).await.expect("answered"), number + 1);
    }
    started.elapsed() / count
}

async fn latencies(bus: &Bus, handled: &Notify) -> Vec<Duration> {
    let mut latencies = Vec::new();
    for _ in 0..IDLE.0 {
        tokio::time::sleep(IDLE.1).await;
        let started = Instant::now();
        bus.publish(&Tick).await.expect("published");
        handled.notified().await;
        latencies.push(started.elapsed());
    }
    latencies.sort_unstable();
    latencies
}

async fn start(app: bus_runtime::App, broker: &EmbeddedBroker) -> Bus {
    app.config(bus_runtime::Config::default()).embedded(broker).start().await.expect("started")
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn main() {
    // `cargo test` runs benches too, and `cargo bench` passes its own flags: a number is ours.
    let count =
        std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(COMMANDS_DEFAULT);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let (broker, handled) = (EmbeddedBroker::new(), Arc::new(Notify::new()));
        let here = start(bus_runtime::app().state(Arc::clone(&handled)), &broker).await;
        let there = start(bus_runtime::app().without_handlers(), &broker).await;
        let (mut direct, mut by_broker) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            direct.push(commands(&here, count).await);
            by_broker.push(commands(&there, count).await);
        }
        println!("command in this process        {:>10.2?}", median(direct));
        println!("command by the embedded broker {:>10.2?}", median(by_broker));
        let latencies = latencies(&here, &handled).await;
        let at = |part: usize| latencies[(latencies.len() - 1) * part / 100];
        println!("publish to handle, idle        {:>10.2?} (median), {:.2?} (99 %)", at(50), at(99));
        there.shutdown().await;
        here.shutdown().await;
    });
}
