//! Queues with a maximum, and queues with priorities.

use crate::topology::{ExchangeKind, Overflow, QueueArguments, QueueType};
use crate::transport::{Confirmation, Verdict};
use crate::{ErrorKind, QueueName};

use super::bench::{Bench, message, texts, to_queue};

fn refusing(max: u64) -> impl FnOnce(&mut QueueArguments) {
    move |arguments| {
        arguments.max_length = Some(max);
        arguments.overflow = Some(Overflow::RejectPublish);
    }
}

/// A full queue refuses new messages, when told to.
pub async fn l5_reject_publish(bench: &Bench) {
    let queue = bench.classic("q", refusing(3)).await;
    for number in 0..5 {
        let result = bench.try_publish(to_queue(&queue, &number.to_string())).await;
        match number < 3 {
            true => assert_eq!(result.expect("it is confirmed"), Confirmation::Routed, "{number}"),
            false => assert_eq!(result.expect_err("the queue is full").kind(), ErrorKind::Nacked, "{number}"),
        }
    }
    assert_eq!(bench.drain_texts(&queue).await, ["0", "1", "2"]);
    bench.send(&queue, "room again").await;
}

/// A quorum queue may take a few more, but it does refuse.
pub async fn reject_publish_quorum(bench: &Bench) {
    let queue = bench.quorum("q", refusing(3)).await;
    let mut refused = false;
    for number in 0..200 {
        match bench.try_publish(to_queue(&queue, &number.to_string())).await {
            Ok(_) => {}
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Nacked, "{error}");
                refused = true;
                break;
            }
        }
    }
    assert!(refused, "a full queue refuses");
}

/// One full queue makes the publish fail, although another one has the message.
pub async fn one_of_two_is_full(bench: &Bench) {
    let fanout = bench.exchange("fanout", ExchangeKind::Fanout).await;
    let full = bench.classic("full", refusing(1)).await;
    let other = bench.classic("other", |_| {}).await;
    bench.send(&full, "first").await;
    for queue in [&full, &other] {
        bench.bind(&fanout, queue, "").await;
    }
    let error = bench.try_publish(message(&fanout, "", "x")).await.expect_err("one queue is full");
    assert_eq!(error.kind(), ErrorKind::Nacked, "{error}");
    assert_eq!(bench.drain_texts(&other).await, ["x"]);
}

/// Only messages that are ready count.
pub async fn unsettled_do_not_count(bench: &Bench) {
    let queue = bench.classic("q", refusing(3)).await;
    bench.send_numbers(&queue, 0..3).await;
    let mut reader = bench.consume(&queue, 3).await;
    let held = reader.take(3).await;
    bench.send_numbers(&queue, 3..6).await;
    assert!(bench.try_publish(to_queue(&queue, "6")).await.is_err());
    for incoming in held {
        incoming.settler.settle(Verdict::Ack).expect("the channel is there");
    }
    assert_eq!(reader.texts(3).await, ["3", "4", "5"]);
    reader.close().await;
}

/// A message that comes back is no surplus of a quorum queue whose consumer takes it again; a classic queue drops it.
pub async fn requeue_to_full_queue(bench: &Bench) {
    for (kind, left) in [(QueueType::Classic, 1), (QueueType::Quorum, 2)] {
        let queue = bench.queue(kind.as_str(), kind, |arguments| arguments.max_length = Some(1)).await;
        let mut reader = bench.consume(&queue, 1).await;
        bench.send(&queue, "0").await;
        let first = reader.next().await;
        bench.send(&queue, "1").await;
        first.settler.settle(Verdict::Requeue).expect("the channel is there");
        assert_eq!(reader.texts(left).await.len(), left, "{kind:?}");
        reader.assert_idle().await;
        reader.close().await;
    }
}

/// The bytes of the bodies may have a maximum.
pub async fn max_length_bytes(bench: &Bench) {
    let queue = bench.classic("q", |arguments| arguments.max_length_bytes = Some(1000)).await;
    for _ in 0..5 {
        bench.send(&queue, &"x".repeat(300)).await;
    }
    bench.wait_for_ready(&queue, 3).await;
}

async fn send_with(bench: &Bench, queue: &QueueName, body: &str, priority: Option<u8>) {
    let mut envelope = to_queue(queue, body);
    envelope.properties.priority = priority;
    bench.try_publish(envelope).await.map(drop).expect("it is confirmed");
}

/// Higher priorities first, capped at the maximum; first in, first out within one; none means 0.
pub async fn priority(bench: &Bench) {
    let queue = bench.classic("q", |arguments| arguments.max_priority = Some(5)).await;
    let sent = [
        ("none", None),
        ("3", Some(3)),
        ("5", Some(5)),
        ("0", Some(0)),
        ("9", Some(9)),
        ("1", Some(1)),
        ("5b", Some(5)),
    ];
    for (body, priority) in sent {
        send_with(bench, &queue, body, priority).await;
    }
    let mut reader = bench.consume(&queue, 10).await;
    let got = reader.take(7).await;
    assert_eq!(texts(&got), ["5", "9", "5b", "3", "1", "none", "0"]);
    assert_eq!(got[1].envelope.properties.priority, Some(9), "the property stays as it was");
    reader.close().await;
}

/// A queue without priorities ignores them.
pub async fn no_priority(bench: &Bench) {
    let queue = bench.queue("q", QueueType::Classic, |_| {}).await;
    send_with(bench, &queue, "low", Some(1)).await;
    send_with(bench, &queue, "high", Some(9)).await;
    assert_eq!(bench.drain_texts(&queue).await, ["low", "high"]);
}
