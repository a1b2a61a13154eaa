//! Messages that go back to their queue.

use crate::topology::QueueType;
use crate::transport::{Incoming, Verdict};

use super::bench::{Bench, text, texts};

fn requeue(incoming: Incoming) {
    incoming.settler.settle(Verdict::Requeue).expect("the channel is there");
}

/// Takes 0 to 3 of 6, gives back 2 and then 0, and says what comes next.
async fn after_requeue(bench: &Bench, kind: QueueType, delivery_limit: Option<u32>) -> Vec<(String, bool)> {
    let queue = bench.queue("q", kind, |arguments| arguments.delivery_limit = delivery_limit).await;
    bench.send_numbers(&queue, 0..6).await;
    let mut reader = bench.consume(&queue, 4).await;
    let mut held = reader.take(4).await.into_iter();
    let [zero, one, two, three] = std::array::from_fn(|_| held.next().expect("four were taken"));
    // Nobody reads while they go back, so that all of them are in the queue when the reading goes on.
    reader.consumer.cancel().await;
    requeue(two);
    requeue(zero);
    bench.wait_for_ready(&queue, 4).await;
    let mut other = bench.consume(&queue, 10).await;
    let seen =
        other.take(4).await.iter().map(|incoming| (text(&incoming.envelope), incoming.redelivered)).collect();
    drop((one, three));
    reader.close().await;
    other.close().await;
    seen
}

fn owned(expected: [(&str, bool); 4]) -> Vec<(String, bool)> {
    expected.map(|(text, redelivered)| (text.to_owned(), redelivered)).to_vec()
}

/// A classic queue takes a message back at its old place.
pub async fn requeue_to_classic(bench: &Bench) {
    let expected = [("0", true), ("2", true), ("4", false), ("5", false)];
    assert_eq!(after_requeue(bench, QueueType::Classic, None).await, owned(expected));
}

/// A quorum queue takes a message back at its end.
pub async fn requeue_to_quorum(bench: &Bench) {
    let expected = [("4", false), ("5", false), ("2", true), ("0", true)];
    assert_eq!(after_requeue(bench, QueueType::Quorum, None).await, owned(expected));
}

/// A quorum queue with a delivery limit takes a message back ahead of those that were never delivered.
pub async fn requeue_to_limited_quorum(bench: &Bench) {
    let expected = [("2", true), ("0", true), ("4", false), ("5", false)];
    assert_eq!(after_requeue(bench, QueueType::Quorum, Some(5)).await, owned(expected));
}

/// What a consumer leaves behind is the next to be delivered, whatever its queue.
pub async fn what_is_left_behind_comes_first(bench: &Bench) {
    for kind in [QueueType::Classic, QueueType::Quorum] {
        let queue = bench.queue(kind.as_str(), kind, |_| {}).await;
        bench.send_numbers(&queue, 0..4).await;
        let mut reader = bench.consume(&queue, 2).await;
        drop(reader.take(2).await);
        reader.close().await;
        bench.wait_for_ready(&queue, 4).await;
        assert_eq!(bench.drain_texts(&queue).await, ["0", "1", "2", "3"], "{kind:?}");
    }
}

/// The first delivery is not marked, later ones are.
pub async fn redelivered(bench: &Bench) {
    for kind in [QueueType::Classic, QueueType::Quorum] {
        let queue = bench.queue(kind.as_str(), kind, |_| {}).await;
        bench.send(&queue, "x").await;
        let mut reader = bench.consume(&queue, 1).await;
        for expected in [false, true, true] {
            let incoming = reader.next().await;
            assert_eq!(incoming.redelivered, expected, "{kind:?}");
            requeue(incoming);
        }
        reader.close().await;
    }
}

/// A quorum queue counts deliveries; a classic one does not.
pub async fn delivery_count(bench: &Bench) {
    let quorum = bench.quorum("quorum", |_| {}).await;
    let classic = bench.classic("classic", |_| {}).await;
    for (queue, expected) in [(&quorum, [Some(0), Some(1), Some(2)]), (&classic, [None, None, None])] {
        bench.send(queue, "x").await;
        let mut reader = bench.consume(queue, 1).await;
        for expected in expected {
            let incoming = reader.next().await;
            // The first delivery has no count on some versions.
            assert_eq!(incoming.delivery_count.or(expected.filter(|count| *count == 0)), expected);
            requeue(incoming);
        }
        reader.close().await;
    }
}

/// A lost consumer counts as a delivery too.
pub async fn delivery_count_after_close(bench: &Bench) {
    let queue = bench.quorum("q", |_| {}).await;
    bench.send(&queue, "x").await;
    for expected in 0..3 {
        let mut reader = bench.consume(&queue, 1).await;
        let incoming = reader.next().await;
        assert_eq!(incoming.delivery_count.unwrap_or(0), expected);
        reader.close().await;
    }
}

/// A requeued message can go to another consumer.
pub async fn requeue_to_other_consumer(bench: &Bench) {
    let queue = bench.classic("q", |_| {}).await;
    let mut first = bench.consume(&queue, 1).await;
    bench.send(&queue, "x").await;
    let incoming = first.next().await;
    let mut second = bench.consume(&queue, 1).await;
    first.consumer.cancel().await;
    requeue(incoming);
    assert_eq!(texts(&second.take(1).await), ["x"]);
    first.close().await;
    second.close().await;
}
