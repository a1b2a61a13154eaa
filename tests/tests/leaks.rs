//! A long run of everything that an app does, with memory counted: what is alive after the first fifth is all that stays alive.
//!
//! The time is virtual, the broker the embedded one, and whatever can be new is new with every message: routing keys, idempotency keys,
//! texts of errors, names of sessions.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "this is a test, and clippy does not see it of what it calls"
)]

use std::alloc::System;

use bus_runtime::dead_letters::Selection;
use bus_runtime::prelude::*;
use bus_runtime::{AdminPort, Attempt, Bus, Config, EmbeddedBroker, MemoryStore};
use serde::{Deserialize, Serialize};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Messages of the short form, and of the one with `BUS_TEST_LONG`.
const SHORT: u64 = 100_000;
const LONG: u64 = 1_000_000;
/// So many messages are published before everything is waited for.
const PORTION: u64 = 1_000;
/// What may be alive beyond what was after the first fifth: longer numbers in texts that are kept, and tables that have just grown.
const BYTES_MORE: i64 = 16 * 1024;
const ALLOCATIONS_MORE: i64 = 100;

#[react("leaks.#", retry(max = 1, initial = "1s"), timeout = "5s")]
async fn work(Json(number): Json<u64>, attempt: Attempt, bus: Publisher) -> Result<Outcome, BoxError> {
    match number % 50 {
        // Once more, and then it is done.
        1 if attempt.0 == 1 => Err(format!("not at once: {number}").into()),
        2 => Ok(reject(format!("not {number:x}"))),
        3 => Err(format!("neither now nor later: {number}").into()),
        4 => std::future::pending().await,
        5 => {
            bus.publish(&Told(number)).after(Duration::from_secs(3)).await?;
            Ok(ack())
        }
        _ => Ok(ack()),
    }
}

#[derive(Debug, Serialize, Deserialize, Message)]
#[event("told.of")]
struct Told(u64);

#[message_handler(Told)]
async fn told(Told(number): Told, bus: Publisher) {
    assert_eq!(bus.execute(Add(number)).await.ok(), sum(number));
}

#[derive(Debug, Serialize, Deserialize, Message)]
#[command("add.one", reply = u64)]
struct Add(u64);

#[message_handler(Add)]
async fn add(Add(number): Add) -> Result<u64, BoxError> {
    sum(number).ok_or_else(|| format!("not with {number}").into())
}

/// What the command answers; to some it says no.
fn sum(number: u64) -> Option<u64> {
    (number % 7 != 3).then_some(number + 1)
}

/// What is alive: bytes, and allocations.
fn alive() -> (i64, i64) {
    let seen = COUNTED.stats();
    let less = |more: usize, less: usize| i64::try_from(more).unwrap() - i64::try_from(less).unwrap();
    (less(seen.bytes_allocated, seen.bytes_deallocated), less(seen.allocations, seen.deallocations))
}

async fn portion(bus: &Bus, numbers: std::ops::Range<u64>) {
    for number in numbers.clone() {
        let publish = bus.react(format!("leaks.page-{number}.saved"), &number);
        publish
            .idempotency_key(format!("order-{number}"))
            .header("tenant", format!("t{number}"))
            .await
            .unwrap();
        if number % 20 == 0 {
            assert_eq!(bus.execute(Add(number)).await.ok(), sum(number));
        }
    }
    let first = numbers.start;
    let session = bus.session(format!("job-{first}")).await.unwrap();
    session.on(|_: Told| async {}).await.unwrap();
    session.publish(&Told(4)).await.unwrap();
    session.end().await;
    bus.settled().await.unwrap();
    // Delayed messages are nobody's until they are due.
    tokio::time::sleep(Duration::from_secs(10)).await;
    bus.settled().await.unwrap();
    let letters = bus.dead_letters();
    assert!(!letters.groups(&Selection::default()).await.unwrap().groups.is_empty());
    assert_eq!(letters.purge(&Selection::default()).await.unwrap(), PORTION * 3 / 50);
}

#[tokio::test(start_paused = true)]
async fn a_long_run_leaves_nothing() {
    let messages = if std::env::var_os("BUS_TEST_LONG").is_some() { LONG } else { SHORT };
    let broker = EmbeddedBroker::new();
    // The port keeps a history of what was handled.
    let port = AdminPort::parse("127.0.0.1:0").unwrap();
    let app = bus_runtime::app().config(Config::default()).http(port).embedded(&broker);
    let bus = app.idempotency(MemoryStore::new().capacity(2_000)).start().await.unwrap();
    let mut seen = Vec::new();
    for number in (0..messages).step_by(usize::try_from(PORTION).unwrap()) {
        portion(&bus, number..number + PORTION).await;
        if (number + PORTION).is_multiple_of(messages / 5) {
            let (bytes, allocations) = alive();
            println!("{} messages: {bytes} bytes in {allocations} allocations are alive", number + PORTION);
            seen.push((bytes, allocations));
        }
    }
    // Caches with a bound are full after two fifths of the short run.
    let (first, last) = (seen[1], seen[seen.len() - 1]);
    assert!(last.0 - first.0 < BYTES_MORE, "{seen:?}");
    assert!(last.1 - first.1 < ALLOCATIONS_MORE, "{seen:?}");
    bus.shutdown().await;
}
