//! Walks through a queue that end in the middle.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bus_runtime::ExchangeName;
use bus_runtime::conformance::message;
use bus_runtime::topology::{Queue, QueueType, Topology};
use bus_tests::arena::{Arena, rabbitmq};

/// How many messages are in the queue.
const MESSAGES: u64 = 10;
/// How long they may be away. What the broker is not told of comes back with the end of the connection only.
const SOON: Duration = Duration::from_secs(20);

/// Walks through the whole queue, and says what it has seen.
async fn walk(arena: &Arena, queue: &str) -> BTreeSet<Vec<u8>> {
    let mut walk = arena.transport().browse(&arena.name(queue)).await.expect("it is there");
    let mut seen = BTreeSet::new();
    while let Some(incoming) = walk.next().await.expect("it can be walked through") {
        seen.insert(incoming.envelope.body.to_vec());
    }
    walk.close().await.expect("it goes back");
    seen
}

/// Wherever a walk is dropped, what it held is there again as soon as the broker has heard of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r11_a_walk_that_is_dropped_at_any_moment_gives_back_soon() {
    let Some(arena) = rabbitmq().await else { return };
    for kind in [QueueType::Quorum, QueueType::Classic] {
        let name = format!("walked.{kind:?}");
        let queue = Queue::durable(arena.name(&name), kind);
        arena.transport().declare(&Topology { queues: vec![queue], ..Topology::default() }).await.unwrap();
        for number in 0..MESSAGES {
            let to = ExchangeName::default_exchange();
            let envelope = message(&to, &arena.name(&name), &number.to_string());
            let _ = arena.transport().publish(Arc::new(envelope)).await.unwrap();
        }
        for moment in (0..60).map(|step| Duration::from_micros(400) * step) {
            let _ = tokio::time::timeout(moment, walk(&arena, &name)).await;
            let all_are_back = async { while (walk(&arena, &name).await.len() as u64) < MESSAGES {} };
            let back = tokio::time::timeout(SOON, all_are_back).await;
            assert!(back.is_ok(), "{kind:?}: not all are back of a walk that was dropped after {moment:?}");
        }
        arena.transport().delete_queue(&arena.name(&name)).await.unwrap();
    }
}
