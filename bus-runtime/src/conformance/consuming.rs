//! Who gets which message, and how many of them at once.

use crate::ErrorKind;
use crate::topology::{Queue, QueueArguments, QueueType};
use crate::transport::{Standing, Verdict};

use super::bench::{Bench, Reader, eventually, text, texts, to_queue};
use crate::seam;

/// No more than `prefetch` messages are outstanding; settling one lets the next one come.
pub async fn prefetch(bench: &Bench) {
    for kind in [QueueType::Classic, QueueType::Quorum] {
        let queue = bench.queue(kind.as_str(), kind, |_| {}).await;
        bench.send_numbers(&queue, 0..10).await;
        let mut reader = bench.consume(&queue, 3).await;
        let mut held = reader.take(3).await;
        assert_eq!(texts(&held), ["0", "1", "2"]);
        reader.assert_idle().await;
        bench.wait_for_ready(&queue, 7).await;
        held.remove(1).settler.settle(Verdict::Ack).expect("the channel is there");
        assert_eq!(text(&reader.next().await.envelope), "3");
        reader.assert_idle().await;
        reader.close().await;
    }
}

/// A prefetch of 0 has no limit.
pub async fn prefetch_zero(bench: &Bench) {
    let queue = bench.classic("q", |_| {}).await;
    bench.send_numbers(&queue, 0..50).await;
    let mut reader = bench.consume(&queue, 0).await;
    assert_eq!(reader.take(50).await.len(), 50);
    reader.close().await;
}

/// Consumers of one queue take turns.
pub async fn round_robin(bench: &Bench) {
    let queue = bench.classic("q", |_| {}).await;
    let mut readers: Vec<Reader> = Vec::new();
    for _ in 0..3 {
        readers.push(bench.consume(&queue, 100).await);
    }
    bench.send_numbers(&queue, 0..30).await;
    for (number, reader) in readers.iter_mut().enumerate() {
        let expected: Vec<_> = (0..10).map(|turn| (number + 3 * turn).to_string()).collect();
        assert_eq!(reader.texts(10).await, expected);
    }
    for reader in readers {
        reader.close().await;
    }
}

/// A consumer that has all it may have is passed over.
pub async fn busy_consumer_is_passed_over(bench: &Bench) {
    let queue = bench.classic("q", |_| {}).await;
    let mut busy = bench.consume(&queue, 1).await;
    bench.send(&queue, "0").await;
    let held = busy.next().await;
    let mut idle = bench.consume(&queue, 10).await;
    bench.send_numbers(&queue, 1..5).await;
    assert_eq!(idle.texts(4).await, ["1", "2", "3", "4"]);
    held.settler.settle(Verdict::Ack).expect("the channel is there");
    busy.close().await;
    idle.close().await;
}

/// One publisher, one queue, one consumer, nothing requeued: first in, first out.
pub async fn order(bench: &Bench) {
    for kind in [QueueType::Classic, QueueType::Quorum] {
        let queue = bench.queue(kind.as_str(), kind, |_| {}).await;
        let mut reader = bench.consume(&queue, 10).await;
        let published = (0..200).map(|number| bench.try_publish(to_queue(&queue, &number.to_string())));
        for result in futures_util::future::join_all(published).await {
            assert!(result.is_ok(), "{result:?}");
        }
        let expected: Vec<_> = (0..200).map(|number| number.to_string()).collect();
        assert_eq!(reader.texts(200).await, expected);
        reader.close().await;
    }
}

/// Only the first consumer gets messages; when it closes, the next one takes over.
pub async fn single_active_consumer(bench: &Bench) {
    let expected = [
        (QueueType::Classic, ["0", "1", "2", "3", "4", "5"]),
        // A quorum queue makes the next one active before it takes back what the first one had.
        (QueueType::Quorum, ["2", "3", "4", "5", "0", "1"]),
    ];
    for (kind, expected) in expected {
        let single = |arguments: &mut QueueArguments| arguments.single_active_consumer = true;
        let queue = bench.queue(kind.as_str(), kind, single).await;
        let mut first = bench.consume(&queue, 2).await;
        let mut second = bench.consume(&queue, 10).await;
        bench.send_numbers(&queue, 0..6).await;
        assert_eq!(texts(&first.take(2).await), ["0", "1"]);
        second.assert_idle().await;
        first.close().await;
        assert_eq!(second.texts(6).await, expected, "{kind:?}");
        second.close().await;
    }
}

/// After `cancel` no new messages come; those that had arrived still do, then the end, and they can be settled.
pub async fn cancel(bench: &Bench) {
    let queue = bench.classic("q", |_| {}).await;
    bench.send_numbers(&queue, 0..3).await;
    let mut reader = bench.consume(&queue, 10).await;
    let first = reader.next().await;
    bench.wait_for_ready(&queue, 0).await;
    reader.consumer.cancel().await;
    bench.send(&queue, "late").await;
    let mut held = vec![first];
    while let Some(item) = reader.item().await {
        held.push(item.expect("it is no error"));
    }
    assert_eq!(texts(&held), ["0", "1", "2"]);
    assert!(reader.item().await.is_none(), "the end stays the end");
    for incoming in held {
        incoming.settler.settle(Verdict::Ack).expect("the channel is there");
    }
    reader.close().await;
    bench.wait_for_ready(&queue, 1).await;
    assert_eq!(bench.drain_texts(&queue).await, ["late"]);
}

/// What was not settled goes back when the consumer closes: in its old order, marked, and nothing else is touched.
pub async fn close_returns_messages(bench: &Bench) {
    let queue = bench.classic("q", |_| {}).await;
    bench.send_numbers(&queue, 0..6).await;
    let mut reader = bench.consume(&queue, 4).await;
    let mut held = reader.take(2).await;
    held.remove(0).settler.settle(Verdict::Ack).expect("the channel is there");
    reader.close().await;
    bench.wait_for_ready(&queue, 5).await;
    let mut again = bench.consume(&queue, 10).await;
    let got = again.take(5).await;
    assert_eq!(texts(&got), ["1", "2", "3", "4", "5"]);
    assert!(got[0].redelivered && got[1].redelivered && !got[4].redelivered, "{got:?}");
    again.close().await;
}

/// A dropped consumer gives back what it had not settled.
pub async fn drop_returns_messages(bench: &Bench) {
    let queue = bench.classic("q", |_| {}).await;
    bench.send_numbers(&queue, 0..3).await;
    let mut reader = bench.consume(&queue, 10).await;
    let held = reader.take(2).await;
    drop(reader);
    bench.wait_for_ready(&queue, 3).await;
    drop(held);
    assert_eq!(bench.drain_texts(&queue).await, ["0", "1", "2"]);
}

/// `close` sees to it that the settlements that were made before it count.
pub async fn close_flushes_settlements(bench: &Bench) {
    for kind in [QueueType::Classic, QueueType::Quorum] {
        let queue = bench.queue(kind.as_str(), kind, |_| {}).await;
        for cancel_first in [false, true] {
            bench.send_numbers(&queue, 0..200).await;
            let mut reader = bench.consume(&queue, 200).await;
            let held = reader.take(200).await;
            if cancel_first {
                reader.consumer.cancel().await;
            }
            for incoming in held {
                incoming.settler.settle(Verdict::Ack).expect("the channel is there");
            }
            reader.close().await;
            seam::sleep(super::MOMENT).await;
            assert_eq!(
                bench.drain_texts(&queue).await,
                Vec::<String>::new(),
                "{kind:?}, cancel first: {cancel_first}"
            );
        }
    }
}

/// A message of a closed consumer cannot be settled any more: it is somebody else's by then.
pub async fn settle_after_close(bench: &Bench) {
    let queue = bench.classic("q", |_| {}).await;
    bench.send(&queue, "x").await;
    let mut reader = bench.consume(&queue, 10).await;
    let late = reader.next().await;
    reader.close().await;
    let mut other = bench.consume(&queue, 10).await;
    let current = other.next().await;
    let error = late.settler.settle(Verdict::Ack).expect_err("its channel is gone");
    assert_eq!(error.kind(), ErrorKind::Disconnected, "{error}");
    current.settler.settle(Verdict::Requeue).expect("the channel is there");
    assert_eq!(other.texts(1).await, ["x"]);
    other.close().await;
}

/// A queue that is not there cannot be consumed.
pub async fn consume_missing_queue(bench: &Bench) {
    let error = bench.try_consume(&bench.queue_name("missing"), 1).await.expect_err("there is no queue");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(error.to_string().contains("missing"), "{error}");
}

/// A deleted queue is told once; when it is back, so is the consumer.
pub async fn queue_deleted_under_consumer(bench: &Bench) {
    let queue = bench.classic("q", |_| {}).await;
    let mut reader = bench.consume(&queue, 10).await;
    bench.transport().delete_queue(&queue).await.expect("it is deleted");
    let error = reader.item().await.expect("it is not the end").expect_err("the queue is gone");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    bench.classic("q", |_| {}).await;
    bench.send(&queue, "back").await;
    loop {
        match reader.item().await.expect("it is not the end") {
            Ok(incoming) => {
                assert_eq!(text(&incoming.envelope), "back");
                break;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{error}"),
        }
    }
    reader.close().await;
}

/// An auto-delete queue goes with its last consumer, and not before the first one came.
pub async fn auto_delete(bench: &Bench) {
    let queue = Queue { auto_delete: true, ..Queue::durable(bench.queue_name("q"), QueueType::Classic) };
    let queue = bench.try_queue(queue).await.expect("the queue is declared");
    bench.send(&queue, "x").await;
    let first = bench.consume(&queue, 1).await;
    let second = bench.consume(&queue, 1).await;
    first.close().await;
    assert!(bench.ready(&queue).await.is_some(), "one consumer is left");
    second.close().await;
    eventually("the queue to go", async || bench.ready(&queue).await.is_none()).await;
}

/// An exclusive queue serves the connection that declared it.
pub async fn exclusive(bench: &Bench) {
    let name = bench.queue_name("q");
    let queue = Queue { exclusive: true, durable: false, ..Queue::durable(name, QueueType::Classic) };
    let queue = bench.try_queue(queue).await.expect("the queue is declared");
    let mut reader = bench.consume(&queue, 1).await;
    bench.send(&queue, "mine").await;
    assert_eq!(reader.texts(1).await, ["mine"]);
    reader.close().await;
}

/// Consumers are counted.
pub async fn consumer_count(bench: &Bench) {
    let queue = bench.classic("q", |_| {}).await;
    let consumers = async || {
        bench.transport().inspect(&queue).await.expect("it can be looked at").expect("it is there").consumers
    };
    assert_eq!(consumers().await, 0);
    let readers = [bench.consume(&queue, 1).await, bench.consume(&queue, 1).await];
    eventually("two consumers", async || consumers().await == 2).await;
    for reader in readers {
        reader.close().await;
    }
    eventually("no consumer", async || consumers().await == 0).await;
}

/// Whoever does not poll a consumer can see all the same whether it receives.
pub async fn lookout(bench: &Bench) {
    let queue = bench.classic("q", |_| {}).await;
    let mut reader = bench.consume(&queue, 1).await;
    let lookout = reader.consumer.lookout();
    assert_eq!(lookout(), Standing::Receiving);
    bench.transport().delete_queue(&queue).await.expect("it is deleted");
    let error = reader.item().await.expect("it is not the end").expect_err("the queue is gone");
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(matches!(lookout(), Standing::Away(_)), "{:?}", lookout());
    bench.classic("q", |_| {}).await;
    bench.send(&queue, "after").await;
    assert_eq!(reader.texts(1).await, ["after"]);
    assert_eq!(lookout(), Standing::Receiving);
    reader.consumer.cancel().await;
    assert!(matches!(lookout(), Standing::Away(_)), "{:?}", lookout());
    reader.close().await;
    assert!(matches!(lookout(), Standing::Away(_)), "{:?}", lookout());
}

/// A quorum queue with a single active consumer gives nothing to anybody else, whether it has a consumer or not.
pub async fn get_beside_single_active(bench: &Bench) {
    let single = |arguments: &mut QueueArguments| arguments.single_active_consumer = true;
    let quorum = bench.quorum("quorum", single).await;
    bench.send(&quorum, "1").await;
    let error = bench.transport().get(&quorum).await.expect_err("it is for consumers");
    assert_eq!(error.kind(), ErrorKind::ExclusiveQueue, "{error}");
    assert!(error.to_string().contains("single active consumer"), "{error}");
    let classic = bench.classic("classic", single).await;
    bench.send(&classic, "1").await;
    assert_eq!(bench.drain_texts(&classic).await, ["1"], "a classic queue gives it");
}
