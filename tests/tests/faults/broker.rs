//! The broker itself: killed, restarted, emptied, frozen, out of memory, out of patience.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use bus_runtime::prelude::*;
use bus_runtime::transport::ConnectionStatus;
use bus_tests::balance::Ledger;

use crate::load::Load;
use crate::nodes::victim;
use crate::rig::{self, Rig, until};

/// How soon a worker is back after its broker takes connections again.
const BACK_WITHIN: Duration = Duration::from_secs(5);

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
    assert!(back <= BACK_WITHIN, "{back:?} is too long");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n1_restarted() {
    let Some(mut node) = victim().await else { return };
    let rig = Rig::start(&node, node.port(), "restarted").await;
    rig.publish_round().await;
    let load = Load::start(rig.feeder(), 200);
    node.stop().await;
    rig.until_not_ready().await;
    node.boot().await;
    let back = rig.until_back(Instant::now()).await;
    assert_eq!(load.stop().await, 0, "publishers wait for the broker");
    rig.balance(&node, "restart", back).await;
}

/// It comes back at the same address, and knows nothing: exchanges, queues and bindings are declared anew.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n1_emptied() {
    let Some(mut node) = victim().await else { return };
    let rig = Rig::start(&node, node.port(), "emptied").await;
    rig.publish_round().await;
    rig.until_idle(&node).await;
    node.kill();
    node.empty();
    node.boot().await;
    node.add_vhost(&rig.vhost).await;
    let back = rig.until_back(Instant::now()).await;
    rig.balance(&node, "emptied", back).await;
}

/// It keeps its sockets and says nothing. What it was sent in the meantime is not lost when it wakes up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n1_frozen() {
    let Some(node) = victim().await else { return };
    let rig = Rig::start(&node, node.port(), "frozen").await;
    rig.publish_round().await;
    let load = Load::start(rig.feeder(), 200);
    tokio::time::sleep(Duration::from_millis(300)).await;
    node.freeze();
    rig.until_not_ready().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    node.resume();
    let back = rig.until_back(Instant::now()).await;
    assert_eq!(load.stop().await, 0, "publishers wait for the broker");
    rig.balance(&node, "SIGSTOP", back).await;
}

/// The broker takes no publishes: they wait, and what is in the queues is handled all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_alarm() {
    let Some(node) = victim().await else { return };
    let rig = Rig::start(&node, node.port(), "alarm").await;
    rig.publish_round().await;
    node.ctl(&["set_vm_memory_high_watermark", "0.000001"]).await;
    let load = Load::start(rig.feeder(), 200);
    until("publishers are blocked", || matches!(rig.bus.status(), ConnectionStatus::Blocked(_))).await;
    assert!(rig.is_ready(), "consumers go on: {:?}", rig.bus.consumers());
    let confirmed = rig.ledger.count_confirmed();
    until("what is queued is handled", || rig.ledger.count_missing() <= 1).await;
    node.ctl(&["set_vm_memory_high_watermark", "0.4"]).await;
    let back = rig.until_back(Instant::now()).await;
    assert_eq!(load.stop().await, 0, "publishers wait");
    assert!(rig.ledger.count_confirmed() > confirmed);
    rig.balance(&node, "memory alarm", back).await;
}

mod patience {
    use super::*;

    static CALLS: AtomicU32 = AtomicU32::new(0);

    #[audit("slow.#")]
    async fn slow_at_first(id: Json<u64>, ledger: State<Ledger>) {
        if CALLS.fetch_add(1, Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        ledger.handled(*id);
    }

    /// A message that is held too long costs its consumer the channel. It is delivered again, and the consumer comes back.
    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn n2_acknowledgement_timed_out() {
        let Some(node) = victim().await else { return };
        let set = async |timeout: u32, tick: u32| {
            let settings = format!(
                "application:set_env(rabbit, consumer_timeout, {timeout}), application:set_env(rabbit, channel_tick_interval, {tick})."
            );
            node.ctl(&["eval", &settings]).await;
        };
        set(1_500, 500).await;
        let vhost = rig::vhost(&node, "patience").await;
        let ledger = Ledger::default();
        let app = rig::app(&rig::url(node.port(), &vhost), module_path!());
        let bus = app.state(ledger.clone()).start().await.unwrap();
        let connected = Instant::now();
        for id in 0..20_u64 {
            ledger.attempted(id);
            bus.audit("slow.x", &id).await.unwrap();
            ledger.confirmed(id);
        }
        until("the slow one is delivered again", || CALLS.load(Ordering::SeqCst) == 21).await;
        until("all are handled", || ledger.count_missing() == 0).await;
        assert_eq!(bus.status(), ConnectionStatus::Connected);
        let back = connected.elapsed();
        bus.settled().await.unwrap();
        ledger.balance("consumer_timeout").back_after(back).check();
        bus.shutdown().await;
        node.delete_vhost(&vhost).await;
        set(1_800_000, 60_000).await;
    }
}
