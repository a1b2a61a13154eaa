//! A message that kills its worker, again and again: it takes nobody with it, and ends with the dead letters.

use std::time::Duration;

use bus_runtime::transport::Verdict;
use bus_tests::balance::Ledger;

use crate::killed::{note, note_rest_of};
use crate::worker::{Stage, publish};

/// The messages around it: a worker begins all of them at once.
const OTHERS: u64 = 40;
/// Workers that it may kill, before the broker's limit of 100 deliveries must have ended it.
const WORKERS_MAX: usize = 130;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_kills_its_worker_dies_alone() {
    let Some(stage) = Stage::set().await else { return };
    let ledger = Ledger::default();
    let first = stage.worker(&[]).await;
    first.signal("TERM");
    assert_eq!(first.ended().await.code(), 0);
    for id in 0..=OTHERS {
        let does = if id == OTHERS / 4 { "aborts" } else { "ends" };
        ledger.attempted(id);
        let order = serde_json::json!({ "id": id, "does": does, "ms": 200 });
        publish(&stage.arena, "order.horde", &order).await;
        ledger.confirmed(id);
    }
    let mut killed = 0;
    loop {
        let worker = stage.spawn();
        let end = tokio::select! {
            end = worker.ended() => end,
            () = stage.arena.until_ready("horde.dead", 1) => break,
        };
        assert_eq!(end.status.code(), Some(101), "{}", end.log);
        note(&ledger, &end);
        killed += 1;
        assert!(killed < WORKERS_MAX, "it is immortal");
    }
    let last = stage.worker(&[]).await;
    stage.arena.until_ready("horde", 0).await;
    last.signal("TERM");
    note(&ledger, &last.ended().await);
    let dead = stage.arena.transport().get(&stage.arena.name("horde.dead")).await.unwrap().unwrap();
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&dead.envelope.body).unwrap()["id"], OTHERS / 4);
    dead.settler.settle(Verdict::Requeue).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    note_rest_of(&stage.arena, &ledger, "horde").await;
    let balance = ledger.balance(&format!("a message that killed {killed} workers")).check();
    assert_eq!((balance.handled as u64, balance.dead), (OTHERS, 1), "nobody else is dead");
}
