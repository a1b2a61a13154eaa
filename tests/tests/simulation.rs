//! Random programs in a simulation: handlers with random options, messages, commands, replays, outcomes, crashes and shutdowns. After each
//! run the books are closed: nothing is lost, handled twice, out of its order, or there although it was never sent, and each command was
//! answered once, or its caller was told in time that it was not.
//!
//! `BUS_SIM_SEEDS=1000000` runs a million seeds, `BUS_SIM_SEED=123` the one that has failed.

#![allow(clippy::unwrap_used, reason = "clippy does not see that all of this is a test")]

#[path = "simulation/asking.rs"]
mod asking;
#[path = "simulation/book.rs"]
mod book;
#[path = "simulation/cast.rs"]
mod cast;
#[path = "simulation/checks.rs"]
mod checks;
#[path = "simulation/found.rs"]
mod found;
#[path = "simulation/play.rs"]
mod play;
#[path = "simulation/replaying.rs"]
mod replaying;
#[path = "simulation/world.rs"]
mod world;

use std::sync::Once;

use bus_runtime::testing::{Simulated, Simulations};

/// What a run of all tests simulates.
const SEEDS: u64 = 10_000;
/// How many of them are run twice.
const TWICE: u64 = 100;

const COMMAND: &str = "cargo test -p bus-tests --all-features --test simulation";

#[test]
fn no_order_of_events_breaks_a_promise() {
    quiet();
    let began = std::time::Instant::now();
    let seeds = Simulations::of(SEEDS).reproduced_by(COMMAND).run(world::run);
    eprintln!("simulated {seeds} seeds in {:?}", began.elapsed());
}

#[test]
fn the_same_seed_is_the_same_run_to_the_last_step() {
    quiet();
    let mut logs = Vec::new();
    for seed in 0..TWICE {
        let [first, second] = [0; 2].map(|_| Simulated::run(seed, || world::run(seed)).log());
        if first != second {
            let same = first.lines().zip(second.lines()).take_while(|(one, other)| one == other).count();
            let around = |log: &str| {
                let lines = log.lines().skip(same.saturating_sub(3)).take(5);
                lines.map(|line| format!("    {line}\n")).collect::<String>()
            };
            panic!(
                "seed {seed} goes two ways after {same} lines:\n{}  or\n{}",
                around(&first),
                around(&second)
            );
        }
        logs.push(first);
    }
    assert!(logs.iter().all(|log| log.lines().count() > 20), "hardly anything has happened");
    let all = logs.len();
    logs.sort_unstable();
    logs.dedup();
    assert_eq!(logs.len(), all, "two seeds gave one run");
}

/// Keeps panics that belong to the play out of the output.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let told = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let planned = panic.payload().downcast_ref::<&str>().is_some_and(|text| *text == play::PLANNED);
            if !planned {
                told(panic);
            }
        }));
    });
}
