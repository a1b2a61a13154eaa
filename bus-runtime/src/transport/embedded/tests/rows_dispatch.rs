//! Rows 7 to 11, 20 and 21: who gets which message, and what becomes of it.

use super::harness::{World, classic, having, quorum, settle, text};
use crate::ErrorKind;
use crate::transport::Verdict;

#[tokio::test]
async fn row_07_each_consumer_has_its_own_prefetch() {
    for (prefetch, expected) in [(3, 3), (10, 10), (0, 20)] {
        let world = World::with([classic("q")]).await;
        world.send_all("q", 0..20).await;
        let mut consumer = world.consume("q", prefetch).await;
        assert_eq!(consumer.all().len(), expected, "prefetch {prefetch}");
        assert_eq!(world.counts("q"), (20 - expected as u64, expected as u64));
        assert_eq!(world.get("q").await.is_some(), prefetch != 0, "get ignores the prefetch");
    }
}

#[tokio::test]
async fn row_08_messages_go_round_the_consumers_in_the_order_of_subscription() {
    let world = World::with([classic("q")]).await;
    let mut consumers =
        [world.consume("q", 0).await, world.consume("q", 0).await, world.consume("q", 0).await];
    world.send_all("q", 0..30).await;
    for (index, consumer) in consumers.iter_mut().enumerate() {
        let expected: Vec<String> = (index..30).step_by(3).map(|body| body.to_string()).collect();
        assert_eq!(consumer.bodies(), expected);
    }
}

#[tokio::test]
async fn row_08_the_round_goes_on_when_a_consumer_leaves_or_comes() {
    let world = World::with([classic("q")]).await;
    let (first, mut second, mut third) =
        (world.consume("q", 0).await, world.consume("q", 0).await, world.consume("q", 0).await);
    world.send_all("q", 0..2).await;
    first.0.close(std::time::Duration::ZERO).await;
    // Message 0 came back and went to the third one, whose turn it was.
    let mut fourth = world.consume("q", 0).await;
    world.send_all("q", 2..5).await;
    assert_eq!(
        [second.bodies(), third.bodies(), fourth.bodies()],
        [vec!["1".to_owned(), "2".into()], vec!["0".into(), "3".into()], vec!["4".into()]]
    );
}

#[tokio::test]
async fn row_08_a_consumer_at_its_limit_is_skipped() {
    let world = World::with([classic("q")]).await;
    let (mut stuck, mut free) = (world.consume("q", 1).await, world.consume("q", 0).await);
    world.send_all("q", 0..10).await;
    assert_eq!(stuck.bodies(), ["0"]);
    assert_eq!(free.bodies(), ["1", "2", "3", "4", "5", "6", "7", "8", "9"]);
}

#[tokio::test]
async fn row_09_requeue_returns_to_the_original_position_on_classic_queues() {
    let world = World::with([classic("q")]).await;
    world.send_all("q", 0..6).await;
    let mut consumer = world.consume("q", 4).await;
    let mut held = consumer.all();
    consumer.0.cancel().await;
    settle(held.remove(2), Verdict::Requeue);
    settle(held.remove(0), Verdict::Requeue);
    let mut seen = Vec::new();
    while let Some(incoming) = world.get("q").await {
        assert_eq!(incoming.delivery_count, None);
        seen.push((text(&incoming.envelope), incoming.redelivered));
        settle(incoming, Verdict::Ack);
    }
    let seen: Vec<(&str, bool)> = seen.iter().map(|(body, again)| (body.as_str(), *again)).collect();
    assert_eq!(seen, [("0", true), ("2", true), ("4", false), ("5", false)]);
}

#[tokio::test]
async fn row_09_requeue_goes_to_the_back_of_quorum_queues() {
    let world = World::with([quorum("q")]).await;
    world.send_all("q", 0..6).await;
    let mut consumer = world.consume("q", 4).await;
    let mut held = consumer.all();
    consumer.0.cancel().await;
    settle(held.remove(2), Verdict::Requeue);
    settle(held.remove(0), Verdict::Requeue);
    let mut seen = Vec::new();
    while let Some(incoming) = world.get("q").await {
        seen.push((text(&incoming.envelope), incoming.redelivered, incoming.delivery_count));
        settle(incoming, Verdict::Ack);
    }
    let seen: Vec<_> = seen.iter().map(|(body, again, count)| (body.as_str(), *again, *count)).collect();
    assert_eq!(
        seen,
        [("4", false, Some(0)), ("5", false, Some(0)), ("2", true, Some(1)), ("0", true, Some(1))]
    );
}

#[tokio::test]
async fn row_09_a_closed_consumer_gives_all_back_in_order() {
    for close in [true, false] {
        let world = World::with([classic("q")]).await;
        world.send_all("q", 0..5).await;
        let mut consumer = world.consume("q", 3).await;
        // Message 1 was looked at and dropped, 0 is still held, 2 was never looked at.
        let held = consumer.next();
        drop(consumer.next());
        assert_eq!(world.counts("q"), (2, 3), "dropping a settler settles nothing");
        if close {
            consumer.close().await;
        } else {
            drop(consumer);
        }
        assert_eq!(world.peek("q"), ["0", "1", "2", "3", "4"]);
        let late = held.settler.settle(Verdict::Ack).unwrap_err();
        assert_eq!(late.kind(), ErrorKind::Disconnected);
        let mut redelivered = Vec::new();
        while let Some(incoming) = world.get("q").await {
            redelivered.push(incoming.redelivered);
            settle(incoming, Verdict::Ack);
        }
        assert_eq!(redelivered, [true, true, true, false, false]);
    }
}

#[tokio::test]
async fn row_09_a_closed_consumer_of_a_quorum_queue_gives_all_back_in_order() {
    let world = World::with([quorum("q")]).await;
    world.send_all("q", 0..8).await;
    let mut consumer = world.consume("q", 4).await;
    // What is settled first makes room where later messages are kept.
    for incoming in consumer.all().into_iter().skip(1).take(2) {
        settle(incoming, Verdict::Ack);
    }
    consumer.close().await;
    assert_eq!(world.peek("q"), ["0", "3", "4", "5", "6", "7"]);
}

#[tokio::test]
async fn row_09_cancelling_requeues_nothing_and_what_arrived_still_comes_out() {
    let world = World::with([classic("q")]).await;
    world.send_all("q", 0..5).await;
    let mut consumer = world.consume("q", 3).await;
    consumer.0.cancel().await;
    assert_eq!(world.counts("q"), (2, 3));
    assert_eq!(consumer.drain(), ["0", "1", "2"]);
    assert!(matches!(consumer.poll(), std::task::Poll::Ready(None)));
    assert_eq!(world.counts("q"), (2, 0));
}

#[tokio::test]
async fn what_was_taken_without_a_consumer_goes_back_when_it_is_dropped() {
    let world = World::with([classic("q")]).await;
    world.send_all("q", 0..2).await;
    let first = world.get("q").await.unwrap();
    settle(world.get("q").await.unwrap(), Verdict::Ack);
    assert_eq!(world.counts("q"), (0, 1));
    drop(first);
    assert_eq!(world.counts("q"), (1, 0));
    let again = world.get("q").await.unwrap();
    assert_eq!((text(&again.envelope), again.redelivered), ("0".into(), true));
}

#[tokio::test]
async fn row_11_settling_after_the_queue_was_deleted_is_an_error_and_harms_nobody() {
    let world = World::with([classic("q")]).await;
    world.send_all("q", 0..2).await;
    let mut consumer = world.consume("q", 0).await;
    let held = consumer.all();
    world.delete("q").await;
    world.declare(classic("q")).await.unwrap();
    world.send_all("q", 2..4).await;
    for incoming in held {
        assert_eq!(incoming.settler.settle(Verdict::Ack).unwrap_err().kind(), ErrorKind::Disconnected);
    }
    assert_eq!(world.counts("q"), (0, 2));
}

#[tokio::test]
async fn row_20_a_quorum_queue_gives_up_after_its_delivery_limit() {
    for by_close in [false, true] {
        let limited =
            having(super::harness::dying_to(quorum("q"), "dead"), |args| args.delivery_limit = Some(2));
        let world = World::with([limited, classic("dead")]).await;
        world.send("q", "poison").await;
        let mut counts = Vec::new();
        while world.counts("q").0 > 0 {
            let mut consumer = world.consume("q", 1).await;
            let incoming = consumer.next();
            counts.push((incoming.redelivered, incoming.delivery_count));
            if by_close {
                consumer.close().await;
            } else {
                consumer.0.cancel().await;
                settle(incoming, Verdict::Requeue);
            }
        }
        assert_eq!(counts, [(false, Some(0)), (true, Some(1)), (true, Some(2))]);
        let dead = world.first("dead");
        assert_eq!(dead.headers.text("x-first-death-reason"), Some("delivery_limit"));
    }
}

#[tokio::test]
async fn row_20_without_a_limit_a_quorum_queue_never_gives_up() {
    let world = World::with([quorum("q")]).await;
    world.send("q", "again").await;
    let mut consumer = world.consume("q", 1).await;
    for count in 0..30 {
        let incoming = consumer.next();
        assert_eq!(incoming.delivery_count, Some(count));
        settle(incoming, Verdict::Requeue);
    }
}

#[tokio::test]
async fn row_21_only_the_first_consumer_is_active_until_it_closes() {
    for (queue, expected) in
        [(classic("q"), ["0", "1", "2", "3", "4", "5"]), (quorum("q"), ["2", "3", "4", "5", "0", "1"])]
    {
        let world = World::with([having(queue, |args| args.single_active_consumer = true)]).await;
        let (mut active, mut next) = (world.consume("q", 2).await, world.consume("q", 0).await);
        world.send_all("q", 0..6).await;
        assert_eq!((active.bodies(), next.bodies()), (vec!["0".into(), "1".into()], vec![]));
        active.close().await;
        assert_eq!(next.bodies(), expected);
    }
}

#[tokio::test]
async fn row_21_the_next_consumer_is_active_when_the_first_one_is_cancelled() {
    let world = World::with([having(classic("q"), |args| args.single_active_consumer = true)]).await;
    let (mut active, mut next) = (world.consume("q", 2).await, world.consume("q", 0).await);
    world.send_all("q", 0..6).await;
    active.0.cancel().await;
    assert_eq!(next.bodies(), ["2", "3", "4", "5"]);
    assert_eq!(active.bodies(), ["0", "1"]);
}
