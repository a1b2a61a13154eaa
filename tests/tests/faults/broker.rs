//! The broker itself: killed, emptied, frozen, out of memory.

use std::time::{Duration, Instant};

use crate::load::Load;
use crate::nodes::victim;
use crate::rig::Rig;

/// Killed under load and started again with what it had on disk: nothing that was confirmed is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n1_killed_under_load() {
    let Some(mut node) = victim().await else { return };
    let rig = Rig::start(&node, node.port(), "killed").await;
    let load = Load::start(rig.feeder(), 2_000);
    tokio::time::sleep(Duration::from_secs(3)).await;
    let before = rig.ledger.count_confirmed();
    assert!(before > 0, "there is load");
    node.kill();
    rig.until_not_ready().await;
    node.boot().await;
    let back = rig.until_back(Instant::now()).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let failed = load.stop().await;
    let balance = rig.balance(&node, "kill -9 at 2000/s", back).await;
    assert_eq!(failed, 0, "publishers wait for the broker");
    assert!(balance.confirmed > before, "it goes on afterwards");
    assert!(back <= Duration::from_secs(5), "{back:?} is too long");
}
