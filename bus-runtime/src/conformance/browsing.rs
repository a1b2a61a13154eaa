//! Looking at a queue, and taking some of it.

use crate::QueueName;
use crate::topology::QueueType;
use crate::transport::{Browser, Verdict};

use super::bench::{Bench, text};

const KINDS: [QueueType; 2] = [QueueType::Quorum, QueueType::Classic];

/// As `.dead` queues are: a quorum queue with a limit gives back other than one without.
async fn limited(bench: &Bench, kind: QueueType) -> QueueName {
    let limit = (kind == QueueType::Quorum).then_some(1 << 31);
    bench.queue(kind.as_str(), kind, |arguments| arguments.delivery_limit = limit).await
}

async fn send_many(bench: &Bench, queue: &QueueName, numbers: std::ops::Range<u32>) {
    let numbers: Vec<_> = numbers.collect();
    for portion in numbers.chunks(100) {
        let sends = portion.iter().map(async |number| bench.send(queue, &number.to_string()).await);
        futures_util::future::join_all(sends).await;
    }
}

/// The texts of the next messages, which stay where they are.
async fn look(browser: &mut Box<dyn Browser>, count: usize) -> Vec<String> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let Some(incoming) = browser.next().await.expect("the queue can be read") else { break };
        seen.push(text(&incoming.envelope));
    }
    seen
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

/// Whoever looks, however far and how often, sees the same messages in the same order, and so does who consumes afterwards.
pub async fn looking_keeps_the_order(bench: &Bench) {
    for kind in KINDS {
        let queue = limited(bench, kind).await;
        send_many(bench, &queue, 0..120).await;
        for count in [3, 1, 50, 7, 500, 2, 40] {
            let mut browser = bench.transport().browse(&queue).await.expect("the queue is there");
            assert_eq!(look(&mut browser, count).await, numbers(0..(count as u32).min(120)), "{kind:?}");
            browser.close().await.expect("it goes back");
            bench.wait_for_ready(&queue, 120).await;
        }
        assert_eq!(bench.drain_texts(&queue).await, numbers(0..120), "{kind:?}");
    }
}

/// More than fits into one portion.
pub async fn looking_at_many(bench: &Bench) {
    let queue = limited(bench, QueueType::Quorum).await;
    send_many(bench, &queue, 0..2_500).await;
    for _ in 0..2 {
        let mut browser = bench.transport().browse(&queue).await.expect("the queue is there");
        assert_eq!(look(&mut browser, 5_000).await, numbers(0..2_500));
        browser.close().await.expect("it goes back");
        bench.wait_for_ready(&queue, 2_500).await;
    }
}

/// A walk ends although messages keep arriving, and does not end before.
pub async fn looking_ends(bench: &Bench) {
    let queue = limited(bench, QueueType::Quorum).await;
    send_many(bench, &queue, 0..40).await;
    let mut browser = bench.transport().browse(&queue).await.expect("the queue is there");
    let mut seen = Vec::new();
    while let Some(incoming) = browser.next().await.expect("the queue can be read") {
        seen.push(text(&incoming.envelope));
        bench.send(&queue, "new").await;
    }
    browser.close().await.expect("it goes back");
    assert_eq!(seen, numbers(0..40));
    bench.wait_for_ready(&queue, 80).await;
    assert_eq!(bench.drain_texts(&queue).await[..40], numbers(0..40));
}

/// What is acknowledged is gone, and the others stay in their order.
pub async fn taking_some(bench: &Bench) {
    for kind in KINDS {
        let queue = limited(bench, kind).await;
        send_many(bench, &queue, 0..100).await;
        let mut browser = bench.transport().browse(&queue).await.expect("the queue is there");
        assert_eq!(look(&mut browser, 10).await.len(), 10);
        for _ in 10..60 {
            let incoming = browser.next().await.expect("the queue can be read").expect("there are more");
            if text(&incoming.envelope).parse::<u32>().is_ok_and(|number| number % 2 == 0) {
                incoming.settler.settle(Verdict::Ack).expect("the channel is there");
            }
        }
        browser.close().await.expect("it goes back");
        let stays = |number: &u32| !(10..60).contains(number) || number % 2 == 1;
        let left: Vec<_> = (0..100).filter(stays).map(|number| number.to_string()).collect();
        bench.wait_for_ready(&queue, left.len() as u64).await;
        assert_eq!(bench.drain_texts(&queue).await, left, "{kind:?}");
    }
}

/// A browser that is dropped gives back what it had.
pub async fn dropped_on_the_way(bench: &Bench) {
    let queue = limited(bench, QueueType::Quorum).await;
    send_many(bench, &queue, 0..50).await;
    let mut browser = bench.transport().browse(&queue).await.expect("the queue is there");
    assert_eq!(look(&mut browser, 20).await, numbers(0..20));
    drop(browser);
    bench.wait_for_ready(&queue, 50).await;
    assert_eq!(bench.drain_texts(&queue).await, numbers(0..50));
}

/// What one walk has shown, no other shows until the first has ended: two replays do not send one letter twice.
pub async fn two_at_once(bench: &Bench) {
    let queue = limited(bench, QueueType::Quorum).await;
    send_many(bench, &queue, 0..20).await;
    let mut first = bench.transport().browse(&queue).await.expect("the queue is there");
    assert_eq!(look(&mut first, 3).await, numbers(0..3));
    let mut second = bench.transport().browse(&queue).await.expect("the queue is there");
    let seen = look(&mut second, 50).await;
    assert!(numbers(0..3).iter().all(|number| !seen.contains(number)), "{seen:?}");
    second.close().await.expect("it goes back");
    first.close().await.expect("it goes back");
    bench.wait_for_ready(&queue, 20).await;
    let mut third = bench.transport().browse(&queue).await.expect("the queue is there");
    assert_eq!(look(&mut third, 50).await, numbers(0..20));
    third.close().await.expect("it goes back");
}

/// There is nothing to see in an empty queue, and no way to look at one that does not exist.
pub async fn nothing_to_see(bench: &Bench) {
    let queue = limited(bench, QueueType::Quorum).await;
    let mut browser = bench.transport().browse(&queue).await.expect("the queue is there");
    assert!(browser.next().await.expect("the queue can be read").is_none());
    browser.close().await.expect("nothing goes back");
    let missing = bench.transport().browse(&bench.queue_name("missing")).await;
    assert_eq!(missing.expect_err("there is none").kind(), crate::ErrorKind::NotFound);
}
