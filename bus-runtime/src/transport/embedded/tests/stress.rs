//! Many tasks at once: nothing is lost, nothing comes twice, and it ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::harness::{World, classic, dying_to, having, quorum, text, to_queue};
use crate::seam;
use crate::topology::{ExchangeKind, Overflow};
use crate::transport::{Confirmation, Verdict};

const PUBLISHERS: u32 = 8;
const MESSAGES: u32 = 2_000;
const CONSUMERS: usize = 6;

type Seen = BTreeMap<String, u32>;

/// Consumes until told to stop: requeues some, rejects some, leaves some unsettled until it closes.
async fn work(world: Arc<World>, queue: &'static str, done: Arc<AtomicU64>, all: u64) -> Seen {
    let mut consumer = world.consume(queue, 8).await;
    let mut seen = Seen::new();
    let mut kept = Vec::new();
    let mut turn = 0_u32;
    while done.load(Ordering::Acquire) < all {
        let next = tokio::time::timeout(std::time::Duration::from_millis(20), consumer.wait()).await;
        let Ok(Some(Ok(incoming))) = next else {
            // What was kept may be the last that is missing.
            kept.clear();
            consumer.close().await;
            consumer = world.consume(queue, 8).await;
            continue;
        };
        turn += 1;
        match turn % 16 {
            3 => incoming.settler.settle(Verdict::Requeue).unwrap(),
            5 if kept.len() < 4 => kept.push(incoming.settler),
            7 => incoming.settler.settle(Verdict::Reject).unwrap(),
            9 => tokio::task::yield_now().await,
            _ => {
                *seen.entry(text(&incoming.envelope)).or_default() += 1;
                incoming.settler.settle(Verdict::Ack).unwrap();
                done.fetch_add(1, Ordering::AcqRel);
            }
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_tasks_lose_nothing_and_see_nothing_twice() {
    // Rejected messages come back over the default exchange, so that each message ends with an ack in its queue.
    let cycle = [dying_to(classic("classic"), "classic"), dying_to(quorum("quorum"), "quorum")];
    let world = Arc::new(World::with(cycle).await);
    world.exchange("all", ExchangeKind::Fanout).await;
    let all = u64::from(PUBLISHERS * MESSAGES);
    let mut workers = Vec::new();
    for queue in ["classic", "quorum"] {
        world.bind("all", "", to_queue(queue)).await;
        let done = Arc::new(AtomicU64::new(0));
        for _ in 0..CONSUMERS {
            workers.push((
                queue,
                seam::spawn("worker", work(Arc::clone(&world), queue, Arc::clone(&done), all)),
            ));
        }
    }
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let world = Arc::clone(&world);
            seam::spawn("publisher", async move {
                for number in 0..MESSAGES {
                    let published = world.publish("all", "", &format!("{publisher}-{number}")).await;
                    assert_eq!(published, Ok(Confirmation::Routed));
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.await.unwrap();
    }
    let mut seen: BTreeMap<&str, Seen> = BTreeMap::new();
    for (queue, worker) in workers {
        for (body, count) in worker.await.unwrap() {
            *seen.entry(queue).or_default().entry(body).or_default() += count;
        }
    }
    for queue in ["classic", "quorum"] {
        assert_eq!(seen[queue].len() as u64, all, "{queue}: each message was acknowledged");
        assert!(seen[queue].values().all(|count| *count == 1), "{queue}: and once");
    }
    world.broker.settled().await;
    let totals = world.broker.totals();
    assert_eq!((totals.acked, totals.dropped, totals.enqueued), (2 * all, 0, 2 * all + totals.dead_lettered));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_full_broker_under_load_lets_everybody_through() {
    let builder = crate::EmbeddedBroker::builder().messages_max(16);
    let world = Arc::new(World { broker: builder.build() });
    let limited = having(classic("q"), |args| {
        (args.max_length, args.overflow) = (Some(64), Some(Overflow::RejectPublish))
    });
    world.declare(limited).await.unwrap();
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|_| {
            let world = Arc::clone(&world);
            seam::spawn("publisher", async move {
                for number in 0..MESSAGES / 4 {
                    world.send("q", &number.to_string()).await;
                }
            })
        })
        .collect();
    let mut consumer = world.consume("q", 4).await;
    for _ in 0..PUBLISHERS * (MESSAGES / 4) {
        consumer.wait().await.unwrap().unwrap().settler.settle(Verdict::Ack).unwrap();
    }
    for publisher in publishers {
        publisher.await.unwrap();
    }
    assert!(world.broker.is_quiet());
}
