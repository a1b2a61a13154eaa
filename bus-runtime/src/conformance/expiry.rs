//! Messages and queues that live for a time only.

use std::time::Duration;

use crate::topology::{QueueArguments, QueueType};
use crate::transport::{Confirmation, Verdict};
use crate::{Envelope, ExchangeName, QueueName};

use super::bench::{Bench, eventually, text, to_queue};
use crate::seam;

const SHORT: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(60);

fn expiring(queue: &QueueName, body: &str, after: Duration) -> Envelope {
    let mut envelope = to_queue(queue, body);
    envelope.properties.expiration = Some(after);
    envelope
}

async fn send(bench: &Bench, envelope: Envelope) {
    let confirmation = bench.try_publish(envelope).await.expect("the message is confirmed");
    assert_eq!(confirmation, Confirmation::Routed);
}

/// A queue, and the one for its dead letters.
async fn with_dead(
    bench: &Bench,
    kind: QueueType,
    set: impl FnOnce(&mut QueueArguments),
) -> (QueueName, QueueName) {
    let dead = bench.classic(&format!("{kind:?}.dead"), |_| {}).await;
    let queue = bench
        .queue(&format!("{kind:?}"), kind, |arguments| {
            arguments.dead_letter_exchange = Some(ExchangeName::default_exchange());
            arguments.dead_letter_routing_key = Some(dead.to_string());
            set(arguments);
        })
        .await;
    (queue, dead)
}

/// The shorter of the queue's and the message's time counts.
pub async fn shorter_time_counts(bench: &Bench) {
    for kind in [QueueType::Classic, QueueType::Quorum] {
        let (queue, dead) = with_dead(bench, kind, |arguments| arguments.message_ttl = Some(SHORT)).await;
        send(bench, expiring(&queue, "long", LONG)).await;
        bench.wait_for_ready(&dead, 1).await;
        let died = bench.drain(&dead).await.remove(0);
        assert_eq!(died.properties.expiration, None);
        assert_eq!(died.headers.text("x-first-death-reason"), Some("expired"));
        bench.transport().delete_queue(&queue).await.expect("it is deleted");
        let queue = bench
            .queue(&format!("{kind:?}.long"), kind, |arguments| arguments.message_ttl = Some(LONG))
            .await;
        send(bench, expiring(&queue, "short", SHORT)).await;
        bench.wait_for_ready(&queue, 0).await;
    }
}

/// Messages expire at the head of the queue only, but none is delivered too late.
pub async fn expiry_at_the_head(bench: &Bench) {
    let (queue, dead) = with_dead(bench, QueueType::Classic, |_| {}).await;
    send(bench, to_queue(&queue, "keep")).await;
    send(bench, expiring(&queue, "short", SHORT)).await;
    send(bench, to_queue(&queue, "keep too")).await;
    seam::sleep(SHORT * 3).await;
    assert_eq!(bench.ready(&queue).await, Some(3), "it waits behind the head");
    assert_eq!(bench.ready(&dead).await, Some(0));
    assert_eq!(bench.drain_texts(&queue).await, ["keep", "keep too"]);
    bench.wait_for_ready(&dead, 1).await;
    assert_eq!(bench.drain_texts(&dead).await, ["short"]);
}

/// A message that may not wait at all is delivered when a consumer is ready, else it expires.
pub async fn expiry_at_once(bench: &Bench) {
    let (queue, dead) = with_dead(bench, QueueType::Classic, |_| {}).await;
    send(bench, expiring(&queue, "nobody", Duration::ZERO)).await;
    bench.wait_for_ready(&dead, 1).await;
    let mut reader = bench.consume(&queue, 10).await;
    send(bench, expiring(&queue, "somebody", Duration::ZERO)).await;
    assert_eq!(text(&reader.next().await.envelope), "somebody");
    reader.close().await;
}

/// What is with a consumer does not expire; given back too late, it does at once.
pub async fn unsettled_do_not_expire(bench: &Bench) {
    let (queue, dead) = with_dead(bench, QueueType::Classic, |_| {}).await;
    send(bench, expiring(&queue, "x", SHORT)).await;
    let held = bench.transport().get(&queue).await.expect("it is there").expect("a message");
    seam::sleep(SHORT * 2).await;
    assert_eq!(bench.ready(&dead).await, Some(0));
    held.settler.settle(Verdict::Requeue).expect("the channel is there");
    bench.wait_for_ready(&dead, 1).await;
    assert_eq!(bench.ready(&queue).await, Some(0));
}

/// A queue that nobody uses goes.
pub async fn idle_queue(bench: &Bench) {
    let queue = bench.classic("q", |arguments| arguments.expires = Some(SHORT * 2)).await;
    let reader = bench.consume(&queue, 1).await;
    seam::sleep(SHORT * 3).await;
    assert!(bench.ready(&queue).await.is_some(), "it is used");
    reader.close().await;
    // Looking at a queue is using it, so look seldom.
    let gone = async || {
        seam::sleep(SHORT * 4).await;
        bench.ready(&queue).await.is_none()
    };
    eventually("the queue to go", gone).await;
}
