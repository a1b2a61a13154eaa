//! What can be measured in a process that does nothing else: time, CPU and memory. One test after the other.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "these handlers do what users do, and clippy does not see that they are in tests"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bus_runtime::prelude::*;
use bus_runtime::{Bus, EmbeddedBroker};
use bus_tests::arena::{self, Arena, until};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex, mpsc};

/// One measurement at a time.
static ALONE: Mutex<()> = Mutex::const_new(());

/// What one of the lines of `/proc/self/status` says, in KiB; `None` where there is no such file.
fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    resident.split_whitespace().next()?.parse().ok()
}

/// The processor time that this process has taken, in nanoseconds; `None` where nobody counts it.
fn cpu_nanos() -> Option<u64> {
    let tasks = std::fs::read_dir("/proc/self/task").ok()?;
    let of_task = |task: std::io::Result<std::fs::DirEntry>| -> Option<u64> {
        let counted = std::fs::read_to_string(task.ok()?.path().join("schedstat")).ok()?;
        counted.split_whitespace().next()?.parse().ok()
    };
    tasks.map(of_task).sum()
}

#[derive(Debug, Serialize, Deserialize, Message)]
#[event("measured.tick", terminal)]
struct Tick(u64);

#[message_handler(Tick)]
async fn tick(Tick(number): Tick, ticks: State<mpsc::Sender<(u64, Instant)>>) {
    let _ = ticks.send((number, Instant::now())).await;
}

/// An app on an embedded broker, and when its handler was called.
async fn ticking() -> (Bus, EmbeddedBroker, mpsc::Receiver<(u64, Instant)>) {
    let (sender, receiver) = mpsc::channel(1 << 16);
    let broker = EmbeddedBroker::new();
    let app = bus_runtime::app().config(bus_runtime::Config::default()).embedded(&broker).state(sender);
    (app.start().await.unwrap(), broker, receiver)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l3_what_is_due_later_costs_no_cpu() {
    let _alone = ALONE.lock().await;
    let (bus, _broker, _ticks) = ticking().await;
    for number in 0..1000 {
        bus.publish(&Tick(number)).after(Duration::from_secs(3600 + number)).await.unwrap();
    }
    let session = bus.session("waits").await.unwrap();
    session.on(|_: Tick| async {}).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let measured = Duration::from_secs(2);
    let Some(before) = cpu_nanos() else { return };
    tokio::time::sleep(measured).await;
    let taken = Duration::from_nanos(cpu_nanos().unwrap() - before);
    println!(
        "1000 messages that are due in an hour and an idle session took {taken:?} of CPU in {measured:?}"
    );
    assert!(taken < measured / 100, "{taken:?}");
    session.end().await;
    let _ = tokio::time::timeout(Duration::from_secs(1), bus.shutdown()).await;
}

/// The bounds are those of the promise, for the best of what was measured: other programs may have the processor meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l9_publish_to_handler_takes_less_than_a_millisecond() {
    let _alone = ALONE.lock().await;
    let (bus, _broker, mut ticks) = ticking().await;
    let mut latencies = Vec::new();
    for number in 0..200 {
        // Idle: nothing is under way, and the workers sleep.
        tokio::time::sleep(Duration::from_millis(2)).await;
        let published = Instant::now();
        bus.publish(&Tick(number)).await.unwrap();
        let (_, called) = ticks.recv().await.unwrap();
        latencies.push(called.saturating_duration_since(published));
    }
    latencies.sort();
    println!("publish to handler, idle: {:?} at best, {:?} in the middle", latencies[0], latencies[100]);
    assert!(latencies[latencies.len() / 4] < Duration::from_millis(1), "{latencies:?}");

    let mut best = 0.0_f64;
    for _ in 0..5 {
        let (count, began) = (5000_u64, Instant::now());
        for number in 0..count {
            bus.publish(&Tick(number)).await.unwrap();
        }
        for _ in 0..count {
            ticks.recv().await.unwrap();
        }
        #[expect(clippy::cast_precision_loss, reason = "it is a small number")]
        let rate = count as f64 / began.elapsed().as_secs_f64();
        best = best.max(rate);
    }
    println!("publish, handle and acknowledge, one publisher: {best:.0} a second");
    assert!(best > 10_000.0, "{best:.0} a second");
    bus.shutdown().await;
}

#[derive(Debug, Serialize, Deserialize, Message)]
#[command("measured.add", reply = u64)]
struct Add(u64);

/// Opens a session, uses it, and ends it in one of the ways there are.
async fn one_session(bus: &Bus, number: u64) {
    let session = bus.session(format!("job-{number}")).await.unwrap();
    let sum = Arc::new(AtomicU64::new(0));
    let heard = Arc::clone(&sum);
    session
        .on(move |Tick(number): Tick| {
            heard.fetch_add(number, Ordering::Relaxed);
            async {}
        })
        .await
        .unwrap();
    session.on_command(|Add(number): Add| async move { Ok::<_, BoxError>(number + 1) }).await.unwrap();
    session.publish(&Tick(number)).await.unwrap();
    assert_eq!(session.execute(Add(number)).await.unwrap(), number + 1);
    if number.is_multiple_of(10) {
        drop(session);
    } else {
        session.end().await;
        assert_eq!(sum.load(Ordering::Relaxed), number);
    }
}

/// Sessions come and go; says how much memory that took after the first ones.
async fn many_sessions(bus: &Bus, count: u64) -> Option<u64> {
    let mut before = None;
    for round in 0..4 {
        for number in 0..count / 4 {
            one_session(bus, number).await;
        }
        until("no session is left", || {
            let sessions = bus.stats().sessions;
            (sessions.open, sessions.handlers) == (0, 0)
        })
        .await;
        if round == 1 {
            before = resident_kib();
        }
    }
    Some(resident_kib()?.saturating_sub(before?))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn l7_a_thousand_sessions_leave_nothing() {
    let _alone = ALONE.lock().await;
    let (bus, broker, mut ticks) = ticking().await;
    tokio::spawn(async move { while ticks.recv().await.is_some() {} });
    let queues = broker.queues().len();
    let grown = many_sessions(&bus, 1000).await;
    println!("500 sessions more on the embedded broker took {grown:?} KiB");
    assert!(grown.is_none_or(|kib| kib < 2048), "{grown:?} KiB");
    assert_eq!(broker.queues().len(), queues, "a queue is left");
    bus.shutdown().await;
    #[cfg(unix)]
    if let Some(arena) = arena::rabbitmq().await {
        on_rabbitmq(&arena).await;
    }
}

#[cfg(unix)]
async fn on_rabbitmq(arena: &Arena) {
    let bus = arena.app_without_handlers().start().await.unwrap();
    let began = Instant::now();
    let count = if std::env::var_os("BUS_TEST_LONG").is_some() { 1000 } else { 200 };
    let grown = many_sessions(&bus, count).await;
    println!(
        "the second half of {count} sessions on RabbitMQ took {grown:?} KiB, and all {:?}",
        began.elapsed()
    );
    assert!(grown.is_none_or(|kib| kib < 4096), "{grown:?} KiB");
    // The queue of a command has a name that can be looked for: it is free for another connection.
    let other = arena.app_without_handlers().start().await.unwrap();
    one_session(&other, 1).await;
    other.shutdown().await;
    bus.shutdown().await;
}
