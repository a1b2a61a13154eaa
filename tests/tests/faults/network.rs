//! The network between a worker and its broker.

use std::time::{Duration, Instant};

use bus_tests::proxy::{Proxy, Side, Weather};

use crate::load::Load;
use crate::nodes::shared;
use crate::rig::{Rig, until};

/// `queue.declare-ok`.
const DECLARED: [u8; 4] = [0, 50, 0, 11];
/// `basic.consume-ok`.
const CONSUMING: [u8; 4] = [0, 60, 0, 21];

/// What goes through a proxy, a fault, and what must hold afterwards.
async fn survives(name: &str, fault: impl AsyncFnOnce(&Proxy, &Rig)) {
    let Some(node) = shared().await else { return };
    let proxy = Proxy::start(node.port());
    let rig = Rig::start(node, proxy.port(), name).await;
    let load = Load::start(rig.feeder(), 200);
    rig.publish_round().await;
    fault(&proxy, &rig).await;
    let back = rig.until_back(Instant::now()).await;
    assert_eq!(load.stop().await, 0, "publishers wait");
    rig.balance(node, name, back).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n1_reset() {
    survives("reset", async |proxy, _| proxy.reset()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n1_cut() {
    survives("cut", async |proxy, _| proxy.cut()).await;
}

/// The broker has lost the connections, and nobody tells the worker: its heartbeats do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n1_half_open() {
    survives("half-open", async |proxy, rig| {
        proxy.half_open();
        rig.until_not_ready().await;
    })
    .await;
}

/// Nothing passes until both sides have given up. The exclusive queue may still belong to the old connection for a while.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n4_black_hole() {
    survives("black-hole", async |proxy, rig| {
        proxy.weather(Weather::BlackHole);
        rig.until_not_ready().await;
        proxy.weather(Weather::Clear);
    })
    .await;
}

/// The broker hears everything, and is not heard: it has the messages, and its confirms do not arrive.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n1_deaf() {
    survives("deaf", async |proxy, rig| {
        proxy.weather(Weather::Deaf);
        rig.until_not_ready().await;
        proxy.weather(Weather::Clear);
    })
    .await;
}

/// A slow network is no lost one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trickle_is_no_loss() {
    let Some(node) = shared().await else { return };
    let proxy = Proxy::start(node.port());
    let rig = Rig::start(node, proxy.port(), "trickle").await;
    let connections = proxy.accepted().len();
    proxy.weather(Weather::Trickle { bytes: 7, pause: Duration::from_millis(2) });
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(4) {
        rig.publish_round().await;
    }
    proxy.weather(Weather::Clear);
    let back = rig.until_back(Instant::now()).await;
    assert_eq!(proxy.accepted().len(), connections, "it stays connected");
    rig.balance(node, "trickle", back).await;
}

/// The connection is lost while the topology is declared anew, and then while the consumers come back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n1_lost_again_during_recovery() {
    survives("lost-again", async |proxy, _| {
        for (count, step) in [DECLARED, CONSUMING].iter().enumerate() {
            proxy.cut_at(Side::Broker, step);
            proxy.reset();
            until("it is lost again", || proxy.sprung() == count as u64 + 1).await;
        }
    })
    .await;
}

/// A message waits for its next attempt on the broker, whatever becomes of the connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r6_lost_while_a_retry_waits() {
    survives("cut-in-a-retry", async |proxy, rig| {
        for _ in 0..20 {
            rig.feeder().publish("flaky.x").await.unwrap();
        }
        let retried = || rig.bus.stats().handlers.iter().map(|handler| handler.retried).sum::<u64>();
        until("some wait for their next attempt", || retried() > 0).await;
        proxy.cut();
    })
    .await;
}
