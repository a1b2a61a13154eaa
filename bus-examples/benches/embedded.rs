//! Messages through the embedded broker to a typed JSON handler, beside its twin: encode, a bounded channel, decode, call.
//!
//! `cargo bench -p bus-examples --bench embedded [MESSAGES]`; rounds of both alternate, and the ratios are what counts.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a benchmark prints, and stops when it cannot go on"
)]

mod common;

use std::sync::Arc;

use common::measure::{Round, measured, median};
use common::pages::{Tally, start, through_a_channel, through_the_bus};

const MESSAGES_DEFAULT: u64 = 100_000;
const ROUNDS: usize = 5;

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
        let bus = start(&tally).await;
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
