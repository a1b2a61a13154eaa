//! The network between a worker and its broker.

use std::time::Instant;

use bus_tests::proxy::Proxy;

use crate::nodes::shared;
use crate::rig::Rig;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n1_reset() {
    let Some(node) = shared().await else { return };
    let proxy = Proxy::start(node.port());
    let rig = Rig::start(node, proxy.port(), "reset").await;
    rig.publish_round().await;
    proxy.reset();
    let back = rig.until_back(Instant::now()).await;
    rig.balance(node, "reset", back).await;
}
