//! Rows 16 and 24: full queues, a full broker, messages that are too large.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::FutureExt;

use super::harness::{World, classic, dying_to, having, quorum, settle, to_queue};
use crate::topology::{ExchangeKind, Overflow};
use crate::transport::{Confirmation, ConnectionStatus, Transport, Verdict};
use crate::{EmbeddedBroker, ErrorKind};

#[tokio::test]
async fn row_16_drop_head_dead_letters_the_oldest() {
    let limited = having(dying_to(classic("q"), "dead"), |args| args.max_length = Some(3));
    let world = World::with([limited, classic("dead")]).await;
    world.send_all("q", 0..5).await;
    assert_eq!((world.peek("q"), world.peek("dead")), (owned(&["2", "3", "4"]), owned(&["0", "1"])));
    assert_eq!(world.first("dead").headers.text("x-first-death-reason"), Some("maxlen"));
}

#[tokio::test]
async fn row_16_reject_publish_nacks_and_dead_letters_nothing() {
    for queue in [classic("q"), quorum("q")] {
        let limited = having(dying_to(queue, "dead"), |args| {
            (args.max_length, args.overflow) = (Some(3), Some(Overflow::RejectPublish));
        });
        let world = World::with([limited, classic("dead")]).await;
        for body in ["0", "1", "2"] {
            world.send("q", body).await;
        }
        for body in ["3", "4"] {
            assert_eq!(world.publish("", "q", body).await, Err(ErrorKind::Nacked));
        }
        assert_eq!((world.peek("q"), world.peek("dead")), (owned(&["0", "1", "2"]), vec![]));
    }
}

#[tokio::test]
async fn row_16_only_ready_messages_count() {
    let limited = having(dying_to(classic("q"), "dead"), |args| args.max_length = Some(3));
    let world = World::with([limited, classic("dead")]).await;
    world.send_all("q", 0..3).await;
    let mut consumer = world.consume("q", 3).await;
    let held = consumer.all();
    consumer.0.cancel().await;
    world.send_all("q", 10..13).await;
    assert_eq!((world.counts("q"), world.peek("dead")), ((3, 3), vec![]));
    held.into_iter().for_each(|incoming| settle(incoming, Verdict::Requeue));
    assert_eq!((world.peek("q"), world.peek("dead")), (owned(&["10", "11", "12"]), owned(&["0", "1", "2"])));
}

#[tokio::test]
async fn row_16_requeued_messages_pass_the_limit_of_a_queue_that_rejects() {
    let limited = having(classic("q"), |args| {
        (args.max_length, args.overflow) = (Some(2), Some(Overflow::RejectPublish));
    });
    let world = World::with([limited]).await;
    world.send_all("q", 0..2).await;
    let held = [world.get("q").await.unwrap(), world.get("q").await.unwrap()];
    world.send_all("q", 2..4).await;
    held.into_iter().for_each(|incoming| settle(incoming, Verdict::Requeue));
    assert_eq!(world.peek("q"), ["0", "1", "2", "3"]);
}

#[tokio::test]
async fn row_16_one_full_queue_makes_a_nack_though_its_sibling_took_the_message() {
    let full = having(classic("full"), |args| {
        (args.max_length, args.overflow) = (Some(0), Some(Overflow::RejectPublish));
    });
    let world = World::with([full, classic("other")]).await;
    world.exchange("all", ExchangeKind::Fanout).await;
    world.bind("all", "", to_queue("full")).await;
    world.bind("all", "", to_queue("other")).await;
    assert_eq!(world.publish("all", "", "x").await, Err(ErrorKind::Nacked));
    assert_eq!(world.peek("other"), ["x"]);
    let _consumer = world.consume("full", 1).await;
    assert_eq!(
        world.publish("all", "", "x").await,
        Err(ErrorKind::Nacked),
        "not even with a consumer at hand"
    );
}

#[tokio::test]
async fn row_16_max_length_in_bytes_counts_bodies() {
    let limited = having(classic("q"), |args| args.max_length_bytes = Some(1000));
    let world = World::with([limited]).await;
    for _ in 0..5 {
        world.send("q", &"x".repeat(300)).await;
    }
    assert_eq!(world.counts("q"), (3, 0));
    world.send("q", &"x".repeat(1001)).await;
    assert_eq!(world.counts("q"), (0, 0), "a message that is too large drops all, itself included");
}

#[tokio::test]
async fn row_16_a_queue_of_length_zero_hands_over_to_idle_consumers() {
    let world = World::with([having(classic("q"), |args| args.max_length = Some(0))]).await;
    world.send("q", "lost").await;
    let mut consumer = world.consume("q", 1).await;
    world.send("q", "seen").await;
    assert_eq!(consumer.drain(), ["seen"]);
}

#[tokio::test(start_paused = true)]
async fn a_full_broker_makes_publishers_wait_in_their_order() {
    let broker = EmbeddedBroker::builder().messages_max(2).bytes_max(100).build();
    let world = World { broker };
    world.declare(classic("q")).await.unwrap();
    world.send_all("q", 0..2).await;
    assert!(matches!(world.broker.status(), ConnectionStatus::Blocked(_)));
    let publishes = async {
        let (two, three) = tokio::join!(world.publish("", "q", "2"), world.publish("", "q", "3"));
        assert_eq!((two, three), (Ok(Confirmation::Routed), Ok(Confirmation::Routed)));
    };
    let consumer = async {
        let mut consumer = world.consume("q", 1).await;
        let mut bodies = Vec::new();
        for _ in 0..4 {
            let incoming = consumer.wait().await.unwrap().unwrap();
            bodies.push(super::harness::text(&incoming.envelope));
            settle(incoming, Verdict::Ack);
        }
        assert_eq!(bodies, ["0", "1", "2", "3"]);
    };
    tokio::join!(publishes, consumer);
    assert_eq!(world.broker.status(), ConnectionStatus::Connected);
}

#[tokio::test(start_paused = true)]
async fn nobody_overtakes_a_publisher_that_waits() {
    let world = World { broker: EmbeddedBroker::builder().messages_max(1).build() };
    world.declare(classic("q")).await.unwrap();
    world.send("q", "0").await;
    let mut waiting = Box::pin(world.publish("", "q", "1"));
    assert!((&mut waiting).now_or_never().is_none());
    world.take("q").await;
    assert!(world.publish("", "q", "2").now_or_never().is_none());
    assert_eq!(waiting.await, Ok(Confirmation::Routed));
    assert_eq!(world.peek("q"), ["1"]);
}

#[tokio::test(start_paused = true)]
async fn a_full_broker_refuses_when_no_space_comes_free() {
    for (messages, bytes) in [(1, 1000), (1000, 5)] {
        let wait = Duration::from_secs(5);
        let builder = EmbeddedBroker::builder().messages_max(messages).bytes_max(bytes).publish_wait(wait);
        let world = World { broker: builder.build() };
        world.declare(classic("q")).await.unwrap();
        world.send("q", "12345").await;
        let started = tokio::time::Instant::now();
        assert_eq!(world.publish("", "q", "6").await, Err(ErrorKind::Nacked));
        assert_eq!(started.elapsed(), wait);
        assert!(
            world.publish("", "q", "7").now_or_never().is_none(),
            "a publisher that gives up harms nobody"
        );
        settle(world.get("q").await.unwrap(), Verdict::Ack);
        world.send("q", "8").await;
    }
}

#[tokio::test]
async fn row_24_a_message_that_never_fits_is_too_large() {
    let world = World { broker: EmbeddedBroker::builder().bytes_max(10).build() };
    world.declare(classic("q")).await.unwrap();
    assert_eq!(world.publish("", "q", "12345678901").await, Err(ErrorKind::TooLarge));
    let body = Bytes::from(vec![0; (128 << 20) + 1]);
    let world = World::with([classic("q")]).await;
    let published = world.publish_as("", "q", "", |envelope| envelope.body = body).await;
    assert_eq!(published, Err(ErrorKind::TooLarge));
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}
