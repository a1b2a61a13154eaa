//! Bus on RabbitMQ beside the client library used by hand: CPU time of this process per message, and how long messages take.
//!
//! `BUS_BENCH_AMQP_URL=amqp://.. cargo bench -p bus-examples --bench rabbitmq [MESSAGES]`. All take turns in one process, on the
//! same queue; the medians of several rounds are printed, with their ratios, and written to `target/bench-rabbitmq.json`.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a benchmark prints, stops when it cannot go on, and does by hand what Bus does"
)]

#[path = "../common/mod.rs"]
mod common;
mod ours;
mod twins;

use std::sync::Arc;
use std::time::Duration;

use bus_runtime::Bus;
use common::measure::{measured, median};
use common::pages::Tally;
use serde_json::json;

const URL: &str = "BUS_BENCH_AMQP_URL";
const MESSAGES_DEFAULT: u64 = 10_000;
const ROUNDS: usize = 5;
pub(crate) const CONCURRENCY: usize = 16;
pub(crate) const PREFETCH: u16 = 100;
/// Publishes under way at once.
pub(crate) const WINDOW: usize = 1_000;
/// Between two messages whose time is taken.
pub(crate) const PACE: Duration = Duration::from_millis(10);
const TIMED: u64 = 300;

/// Where it happens.
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) prefix: String,
    pub(crate) exchange: String,
    pub(crate) queue: String,
}

/// The figures of one contender, one of each round.
struct Figures {
    name: &'static str,
    values: Vec<f64>,
}

/// Prints medians and their ratio to the best of the others; answers them for the file.
fn table(title: &str, unit: &str, all: &[Figures]) -> serde_json::Value {
    println!("\n{title} ({unit}, medians of {ROUNDS} rounds)");
    let middle = |figures: &Figures| median(figures.values.clone());
    let best =
        all.iter().filter(|figures| !figures.name.starts_with("bus")).map(middle).fold(f64::MAX, f64::min);
    for figures in all {
        println!(
            "  {:<28} {:>9.2}   {:>5.2} x the best twin",
            figures.name,
            middle(figures),
            middle(figures) / best
        );
    }
    let rows = all
        .iter()
        .map(|figures| json!({ "name": figures.name, "median": middle(figures), "all": figures.values }));
    json!({ "title": title, "unit": unit, "rows": rows.collect::<Vec<_>>() })
}

async fn consuming(place: &Place, bus: &Bus, tally: &Arc<Tally>, messages: u64) -> serde_json::Value {
    let mut all = vec![Figures { name: "bus", values: Vec::new() }];
    all.extend(twins::FORMS.map(|(name, _)| Figures { name, values: Vec::new() }));
    all.push(Figures { name: "bus, 50 handlers and queues", values: Vec::new() });
    let last = all.len() - 1;
    for _ in 0..ROUNDS {
        for (index, figures) in all.iter_mut().enumerate() {
            if index == last {
                ours::fill_spread(bus, messages).await;
                ours::consume(place, "*::spread::*", tally, messages).await;
            } else {
                ours::publish(bus, messages).await;
                match index.checked_sub(1) {
                    None => ours::consume(place, "*::on_saved", tally, messages).await,
                    Some(form) => twins::consume(place, twins::FORMS[form].1, tally, messages).await,
                }
            }
            figures.values.push(tally.spent().as_secs_f64() * 1e6 / messages as f64);
        }
    }
    table("consume: JSON to a typed handler, acknowledged", "µs of CPU per message", &all)
}

async fn publishing(place: &Place, bus: &Bus, messages: u64) -> serde_json::Value {
    let mut all = ["bus", "lapin"].map(|name| Figures { name, values: Vec::new() });
    for _ in 0..ROUNDS {
        for (index, figures) in all.iter_mut().enumerate() {
            let round = match index {
                0 => measured(ours::publish(bus, messages)).await,
                _ => measured(twins::publish(place, messages)).await,
            };
            figures.values.push(round.cpu.as_secs_f64() * 1e6 / messages as f64);
            purge(place, bus).await;
        }
    }
    table("publish: confirmed, mandatory, persistent, 1 000 in flight", "µs of CPU per message", &all)
}

async fn latency(place: &Place, tally: &Arc<Tally>) -> serde_json::Value {
    let mut tables = Vec::new();
    let mut all: Vec<Vec<Duration>> = Vec::new();
    ours::echo(place, tally, TIMED).await;
    all.push(tally.latencies());
    twins::echo(place, tally, TIMED).await;
    all.push(tally.latencies());
    for (percent, title) in
        [(50, "end to end at 100 messages/s, p50"), (99, "end to end at 100 messages/s, p99")]
    {
        let at =
            |latencies: &Vec<Duration>| latencies[(latencies.len() - 1) * percent / 100].as_secs_f64() * 1e3;
        let figures = ["bus", "lapin"].into_iter().zip(&all);
        let figures: Vec<_> =
            figures.map(|(name, latencies)| Figures { name, values: vec![at(latencies)] }).collect();
        tables.push(table(title, "ms", &figures));
    }
    tables.into()
}

async fn purge(place: &Place, bus: &Bus) {
    let queue = place.queue.parse().expect("a name");
    bus.transport().purge(&queue).await.expect("purged");
}

/// Declares everything, and says where the typed message goes.
async fn prepare(url: String, tally: &Arc<Tally>) -> (Place, Bus) {
    let prefix = format!("bench.{}.", std::process::id());
    let mut place = Place { url, exchange: format!("{prefix}messages"), prefix, queue: String::new() };
    let declaring = ours::start(ours::app(&place, tally)).await;
    let queues = &declaring.plan().queues;
    let queue = queues.iter().find(|queue| queue.name.contains("on_saved")).expect("it has a handler");
    place.queue = queue.name.to_string();
    declaring.shutdown().await;
    let bus = ours::start(ours::app(&place, tally).without_handlers()).await;
    (place, bus)
}

/// Leaves nothing behind.
async fn tidy_up(place: &Place, tally: &Arc<Tally>, bus: Bus) {
    let topology = ours::app(place, tally).plan().expect("a plan").topology;
    for queue in &topology.queues {
        bus.transport().delete_queue(&queue.name).await.expect("deleted");
    }
    for exchange in &topology.exchanges {
        bus.transport().delete_exchange(&exchange.name).await.expect("deleted");
    }
    bus.shutdown().await;
}

fn main() {
    let Ok(url) = std::env::var(URL) else {
        println!("{URL}=amqp://user:password@host:port names the RabbitMQ to measure with");
        return;
    };
    let messages =
        std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(MESSAGES_DEFAULT);
    // Spans are made and told, as in production; only the terminal is left out.
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::INFO)
        .with_writer(std::io::sink)
        .init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let tally = Arc::new(Tally::default());
        let (place, bus) = prepare(url, &tally).await;
        println!("{}, {messages} messages of about 200 bytes in each round", bus.describe_transport().server);
        let tables = json!([
            consuming(&place, &bus, &tally, messages).await,
            publishing(&place, &bus, messages).await,
            latency(&place, &tally).await,
        ]);
        tidy_up(&place, &tally, bus).await;
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/bench-rabbitmq.json");
        std::fs::write(file, format!("{tables:#}\n")).expect("written");
    });
}
