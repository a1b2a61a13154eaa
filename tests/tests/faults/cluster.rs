//! Three nodes, of which the one with the leaders, and with our connections, dies under load.

use std::time::{Duration, Instant};

use bus_tests::node::{RabbitNode, is_installed};

use crate::load::Load;
use crate::nodes::long;
use crate::rig::{self, HEARTBEAT_SECS, Rig};

/// How many messages a second are published meanwhile.
const PER_SECOND: u32 = 300;
/// How long it may take until everything is handled again after the death of the leader.
const BACK_WITHIN: Duration = Duration::from_secs(20);

/// The place of the node that leads this queue.
async fn leader(nodes: &[RabbitNode], asked: &RabbitNode, vhost: &str, queue: &str) -> usize {
    let queue = asked.manage("GET", &format!("queues/{vhost}/{queue}"), None).await;
    assert_eq!(queue["members"].as_array().map(Vec::len), Some(3), "{queue}");
    let leader = nodes.iter().position(|node| queue["leader"] == node.name());
    leader.unwrap_or_else(|| panic!("nobody leads {queue}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n1_the_leader_is_killed() {
    // Three nodes take more than half a minute to become one.
    if !long() {
        return;
    }
    if !is_installed() {
        let _ = RabbitNode::try_start().await;
        return;
    }
    let began = Instant::now();
    let mut nodes = RabbitNode::start_cluster::<3>().await;
    let vhost = rig::vhost(&nodes[0], "cluster").await;
    let hosts: Vec<_> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
    let url = format!("amqp://guest:guest@{}/{vhost}?heartbeat={HEARTBEAT_SECS}", hosts.join(","));
    let formed = began.elapsed();
    let rig = Rig::start_at(&url, vhost.clone()).await;
    let (queue, _) = rig.queue("load");
    rig.publish_round().await;
    let load = Load::start(rig.feeder(), PER_SECOND);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let before = rig.ledger.count_confirmed();
    assert!(before > 0, "there is load");
    let first = leader(&nodes, &nodes[1], &vhost, &queue).await;
    let other = (first + 1) % nodes.len();
    let killed = Instant::now();
    nodes[first].kill();
    let back = rig.until_back(killed).await;
    assert_ne!(leader(&nodes, &nodes[other], &vhost, &queue).await, first, "the others chose another one");
    tokio::time::sleep(Duration::from_secs(1)).await;
    nodes[first].boot().await;
    let whole = rig.until_back(Instant::now()).await;
    // RabbitMQ refuses messages for a queue that has no leader, or keeps them until it has one.
    let refused = load.stop().await;
    assert!(back < BACK_WITHIN, "publishers find the next leader: {back:?}");
    assert!(rig.ledger.count_confirmed() > before, "it goes on afterwards");
    let what = format!(
        "leader of three killed at {PER_SECOND}/s (cluster formed in {:.0} s, {refused} refused, {:.2} s after the node's return)",
        formed.as_secs_f64(),
        whole.as_secs_f64()
    );
    rig.balance(&nodes[other], &what, back).await;
}
