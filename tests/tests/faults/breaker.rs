//! A breaker that is open while its broker dies: it stays open, and the queue is left alone until it is tried again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bus_runtime::prelude::*;
use bus_runtime::transport::{Transport, Verdict};
use bus_runtime::{BreakerState, Bus};
use bus_tests::balance::Ledger;

use crate::nodes::victim;
use crate::rig::{self, until};

/// That of the handler below.
const PAUSE: Duration = Duration::from_secs(15);

/// What the handler depends on, and when it was called.
#[derive(Clone, Default)]
struct Depends {
    works: Arc<AtomicBool>,
    calls: Arc<Mutex<Vec<Instant>>>,
}

#[audit(
    "fragile.#",
    breaker(failures = 2, window = "1m", pause = "15s", successes = 1),
    on_error = "dead_letter",
    concurrency = 1,
    prefetch = 1
)]
async fn fragile(id: Json<u64>, depends: State<Depends>, ledger: State<Ledger>) -> Result<(), String> {
    depends.calls.lock().unwrap().push(Instant::now());
    if !depends.works.load(Ordering::SeqCst) {
        return Err("away".to_owned());
    }
    ledger.handled(*id);
    Ok(())
}

fn breaker(bus: &Bus) -> BreakerState {
    bus.stats().handlers[0].breaker
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_breaker_outlives_its_broker() {
    let Some(mut node) = victim().await else { return };
    let vhost = rig::vhost(&node, "breaker").await;
    let (ledger, depends) = (Ledger::default(), Depends::default());
    let url = rig::url(node.port(), &vhost);
    let app = rig::app(&url, module_path!()).state(ledger.clone()).state(depends.clone());
    let bus = app.start().await.unwrap();
    let queue = bus.plan().queues[0].clone();
    let publish = async |id: u64| {
        ledger.attempted(id);
        bus.audit("fragile.x", &id).await.unwrap();
        ledger.confirmed(id);
    };
    for id in 0..10 {
        publish(id).await;
    }
    until("the breaker is open", || breaker(&bus) == BreakerState::Open).await;
    let opened = *depends.calls.lock().unwrap().last().unwrap();
    node.kill();
    depends.works.store(true, Ordering::SeqCst);
    node.boot().await;
    let up = Instant::now();
    publish(10).await;
    let back = up.elapsed();
    if opened.elapsed() < PAUSE {
        assert_eq!(breaker(&bus), BreakerState::Open, "a new connection is no reason to try");
        let state = bus.transport().inspect(&queue.name).await.unwrap().unwrap();
        assert_eq!(state.consumers, 0, "nobody consumes a queue that rests");
    }
    until("it is closed and all is handled", || {
        breaker(&bus) == BreakerState::Closed && ledger.count_handled() == 9
    })
    .await;
    let calls = depends.calls.lock().unwrap().clone();
    assert!(calls[2].duration_since(calls[1]) >= PAUSE, "it was tried before its time: {calls:?}");
    bus.shutdown().await;
    let control = bus_tests::node::connect(&url).await;
    while let Some(letter) = control.get(&queue.dead).await.unwrap() {
        ledger.dead(serde_json::from_slice(&letter.envelope.body).unwrap());
        letter.settler.settle(Verdict::Ack).unwrap();
    }
    control.close(Duration::from_secs(5)).await;
    node.delete_vhost(&vhost).await;
    let balance = ledger.balance("kill -9 while a breaker is open").back_after(back).check();
    assert_eq!((balance.handled, balance.dead, balance.duplicates), (9, 2, 0), "{balance}");
}
