//! The embedded broker does what RabbitMQ does, in random programs of broker operations.

#![cfg(unix)]

use std::cell::Cell;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bus_runtime::BrokerUrl;
use bus_runtime::transport::{RabbitMq, RabbitMqOptions};
use bus_tests::equivalence::{Brokers, Compared, Effort, compare, program};
use bus_tests::node::{SharedBroker, shared};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

/// How many programs are run unless `BUS_EQUIVALENCE_PROGRAMS` says otherwise.
const PROGRAMS: u32 = 120;
/// How many run at the same time: a program mostly waits for RabbitMQ, or for time to pass.
const LANES: u32 = 12;
/// Where the programs begin that are always the same; more of them are others each time.
const SEED: u64 = 1;
/// For how long a smaller program with the same difference is looked for, in milliseconds.
const SHRINKING_MAX: u32 = 20_000;

#[test]
fn e1_the_embedded_broker_does_what_rabbitmq_does() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let Some(broker) = runtime.block_on(shared()) else { return };
    let wanted: Option<u32> = number("BUS_EQUIVALENCE_PROGRAMS").and_then(|wanted| wanted.try_into().ok());
    let seed = number("BUS_EQUIVALENCE_SEED").unwrap_or_else(|| match wanted {
        Some(_) => std::process::id().into(),
        None => SEED,
    });
    let programs = wanted.unwrap_or(PROGRAMS);
    let (began, total, found) = (Instant::now(), Mutex::new(Compared::default()), AtomicBool::new(false));
    let failures: Vec<String> = std::thread::scope(|scope| {
        let lanes = (0..LANES).map(|lane| {
            let (runtime, total, found) = (&runtime, &total, &found);
            let cases = programs / LANES + u32::from(lane < programs % LANES);
            scope
                .spawn(move || run_lane(runtime, broker, seed.wrapping_add(lane.into()), cases, total, found))
        });
        let lanes: Vec<_> = lanes.collect();
        lanes.into_iter().filter_map(|lane| lane.join().expect("no lane panics").err()).collect()
    });
    let Compared { operations, levels, messages } = *total.lock().expect("nobody panics with it");
    println!(
        "equivalence: {programs} programs (seed {seed}), {operations} operations compared, with {messages} messages and \
         {levels} looks at queues, in {:.1} s",
        began.elapsed().as_secs_f32()
    );
    assert!(failures.is_empty(), "{}\n(BUS_EQUIVALENCE_SEED={seed})", failures.join("\n"));
    assert!(operations > u64::from(programs) * 10, "the programs do something");
}

/// Runs programs one after the other; returns the smallest one that differs.
fn run_lane(
    runtime: &tokio::runtime::Runtime,
    broker: &SharedBroker,
    seed: u64,
    cases: u32,
    total: &Mutex<Compared>,
    found: &AtomicBool,
) -> Result<(), String> {
    let (owner, user) =
        runtime.block_on(async { (connect(broker.url()).await, connect(broker.url()).await) });
    let brokers = Brokers::new(owner, user, broker.prefix());
    let config =
        Config { cases, max_shrink_time: SHRINKING_MAX, failure_persistence: None, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let shrinking = Cell::new(false);
    let outcome = runner.run(&program(), |program| {
        // One difference at a time: the others would only take its time away.
        if found.load(Ordering::Relaxed) && !shrinking.get() {
            return Ok(());
        }
        let effort = if shrinking.get() { Effort::Shrinking } else { Effort::Searching };
        match compare(&brokers, runtime, &program, effort) {
            Ok(compared) => {
                let mut total = total.lock().expect("nobody panics with it");
                total.operations += compared.operations;
                total.levels += compared.levels;
                total.messages += compared.messages;
                Ok(())
            }
            Err(difference) => {
                found.store(true, Ordering::Relaxed);
                shrinking.set(true);
                Err(TestCaseError::fail(difference.to_string()))
            }
        }
    });
    match outcome {
        Ok(()) => Ok(()),
        Err(TestError::Fail(reason, _)) => Err(reason.message().to_owned()),
        Err(TestError::Abort(reason)) => Err(format!("no programs can be made: {reason}")),
    }
}

async fn connect(url: &str) -> std::sync::Arc<RabbitMq> {
    let options = RabbitMqOptions {
        name: "bus-tests equivalence".to_owned(),
        publish_timeout: Duration::from_secs(20),
        // What the programs delete must stay deleted.
        upkeep: Duration::from_secs(24 * 3600),
        ..RabbitMqOptions::default()
    };
    let url = BrokerUrl::parse(url).expect("the URL of a broker");
    std::sync::Arc::new(RabbitMq::connect_with(&url, options).await.expect("a connection to RabbitMQ"))
}

fn number(name: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "tests are configured by the environment too")]
    std::env::var(name).ok().filter(|value| !value.is_empty()).map(|value| value.parse().expect("a number"))
}
