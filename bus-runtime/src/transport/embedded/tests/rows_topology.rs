//! Rows 17 to 19, 26 and 27: what queues and exchanges are, and how they come and go.

use std::task::Poll;
use std::time::Duration;

use super::harness::{
    World, binding, classic, exchange, having, name, pass, quorum, settle, to_exchange, to_queue,
};
use crate::topology::{self, Exchange, ExchangeKind, Overflow, Topology};
use crate::transport::{Confirmation, ConnectionStatus, Transport, Verdict};
use crate::{Error, ErrorKind};

async fn send_with_priority(world: &World, body: &str, priority: Option<u8>) {
    let sent = world.publish_as("", "q", body, |envelope| envelope.properties.priority = priority);
    assert_eq!(sent.await, Ok(Confirmation::Routed));
}

#[tokio::test]
async fn row_17_larger_priorities_leave_first() {
    let world = World::with([having(classic("q"), |args| args.max_priority = Some(5))]).await;
    for (body, priority) in [
        ("none", None),
        ("1", Some(1)),
        ("5", Some(5)),
        ("9", Some(9)),
        ("0", Some(0)),
        ("3", Some(3)),
        ("5b", Some(5)),
    ] {
        send_with_priority(&world, body, priority).await;
    }
    assert_eq!(world.consume("q", 0).await.bodies(), ["5", "9", "5b", "3", "1", "none", "0"]);
}

#[tokio::test(start_paused = true)]
async fn row_17_a_full_priority_queue_drops_its_head_and_expires_only_its_head() {
    let world =
        World::with([having(classic("q"), |args| (args.max_priority, args.max_length) = (Some(5), Some(3)))])
            .await;
    for (body, priority) in [("low", 1), ("high", 5), ("mid", 3), ("low2", 1)] {
        send_with_priority(&world, body, Some(priority)).await;
    }
    assert_eq!(world.peek("q"), ["mid", "low", "low2"]);
    let expiring = world.publish_as("", "q", "soon", |envelope| {
        (envelope.properties.priority, envelope.properties.expiration) =
            (Some(0), Some(Duration::from_millis(100)));
    });
    expiring.await.map(drop).unwrap();
    pass(500).await;
    assert_eq!(world.peek("q"), ["low", "low2", "soon"]);
}

#[tokio::test]
async fn row_17_a_requeued_message_keeps_its_priority_and_place() {
    let world = World::with([having(classic("q"), |args| args.max_priority = Some(5))]).await;
    for (body, priority) in [("l1", 1), ("l2", 1), ("h1", 5), ("l3", 1)] {
        send_with_priority(&world, body, Some(priority)).await;
    }
    let held = [world.get("q").await.unwrap(), world.get("q").await.unwrap(), world.get("q").await.unwrap()];
    held.into_iter().rev().for_each(|incoming| settle(incoming, Verdict::Requeue));
    assert_eq!(world.peek("q"), ["h1", "l1", "l2", "l3"]);
}

fn next_error(consumer: &mut super::harness::TestConsumer) -> Error {
    match consumer.poll() {
        Poll::Ready(Some(Err(error))) => error,
        other => panic!("no error but {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn row_18_a_consumer_comes_back_when_its_queue_is_declared_anew() {
    let world = World::with([classic("q")]).await;
    let (mut one, mut two) = (world.consume("q", 10).await, world.consume("q", 10).await);
    world.send_all("q", 0..3).await;
    world.delete("q").await;
    for consumer in [&mut one, &mut two] {
        assert_eq!(next_error(consumer).kind(), ErrorKind::NotFound);
        assert!(consumer.poll().is_pending(), "it is told once");
    }
    let other = having(classic("q"), |args| args.max_length = Some(100));
    world.declare(other).await.unwrap();
    world.send_all("q", 3..5).await;
    assert_eq!((one.drain(), two.drain()), (vec!["3".into()], vec!["4".into()]));
    assert!(world.broker.is_quiet());
}

#[tokio::test(start_paused = true)]
async fn row_18_a_consumer_brings_its_queue_back_with_bindings() {
    let world = World::with([having(classic("q"), |args| args.max_length = Some(7))]).await;
    world.exchange("x", ExchangeKind::Topic).await;
    world.bind("x", "wiki.#", to_queue("q")).await;
    let mut consumer = world.consume("q", 10).await;
    world.delete("q").await;
    assert_eq!(world.publish("x", "wiki.a", "lost").await, Ok(Confirmation::Unroutable));
    assert_eq!(next_error(&mut consumer).kind(), ErrorKind::NotFound);
    pass(600).await;
    assert_eq!(world.publish("x", "wiki.b", "seen").await, Ok(Confirmation::Routed));
    assert_eq!(consumer.drain(), ["seen"]);
    let same = having(classic("q"), |args| args.max_length = Some(7));
    world.declare(same).await.unwrap();
    // And again, with nobody having looked in between.
    for _ in 0..2 {
        world.delete("q").await;
        pass(600).await;
    }
    assert_eq!(next_error(&mut consumer).kind(), ErrorKind::NotFound);
    world.send("q", "still here").await;
    assert_eq!(consumer.drain(), ["still here"]);
}

#[tokio::test(start_paused = true)]
async fn row_18_a_consumer_that_left_does_not_bring_its_queue_back() {
    for cancel in [true, false] {
        let world = World::with([classic("q")]).await;
        let mut consumer = world.consume("q", 10).await;
        world.delete("q").await;
        if cancel {
            consumer.0.cancel().await;
            assert_eq!(next_error(&mut consumer).kind(), ErrorKind::NotFound);
            assert!(matches!(consumer.poll(), Poll::Ready(None)));
        } else {
            drop(consumer);
        }
        pass(5000).await;
        assert!(!world.exists("q"));
    }
}

#[tokio::test]
async fn row_19_an_exclusive_queue_belongs_to_its_connection() {
    let exclusive = || topology::Queue { exclusive: true, durable: false, ..classic("q") };
    let world = World::with([exclusive()]).await;
    let other = World { broker: world.broker.clone() };
    world.declare(exclusive()).await.unwrap();
    let queue = name("q");
    for error in [
        other.declare(exclusive()).await.unwrap_err(),
        other.broker.inspect(&queue).await.unwrap_err(),
        other.try_consume("q", 1).await.unwrap_err(),
        other.broker.get(&queue).await.unwrap_err(),
        other.broker.purge(&queue).await.unwrap_err(),
        other.broker.delete_queue(&queue).await.unwrap_err(),
        world.declare(topology::Queue { durable: false, ..classic("q") }).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::ExclusiveQueue, "{error}");
    }
    other.send("q", "publishing is allowed").await;
    let consumer = world.consume("q", 1).await;
    drop(world);
    assert!(other.exists("q"), "a consumer keeps its connection open");
    drop(consumer);
    assert!(!other.exists("q"));
}

#[tokio::test]
async fn row_19_an_auto_delete_queue_goes_with_its_last_consumer() {
    let world = World::with([topology::Queue { auto_delete: true, ..classic("q") }]).await;
    world.send_all("q", 0..5).await;
    assert!(world.exists("q"), "not before one came");
    let (mut one, two) = (world.consume("q", 2).await, world.consume("q", 1).await);
    two.close().await;
    assert!(world.exists("q"));
    one.0.cancel().await;
    assert!(!world.exists("q"));
    let drained = one.all();
    assert_eq!(drained.len(), 2, "what had arrived still comes out");
    for incoming in drained {
        assert_eq!(incoming.settler.settle(Verdict::Ack).unwrap_err().kind(), ErrorKind::Disconnected);
    }
    assert!(matches!(one.poll(), Poll::Ready(None)));
}

#[tokio::test]
async fn row_19_an_auto_delete_exchange_goes_with_its_last_binding() {
    let world = World::with([classic("q")]).await;
    let auto = Exchange { auto_delete: true, ..Exchange::topic(exchange("x")) };
    let declare = |exchange| Topology { exchanges: vec![exchange], ..Topology::default() };
    world.broker.declare(&declare(auto.clone())).await.unwrap();
    assert_eq!(world.publish("x", "", "").await, Ok(Confirmation::Unroutable), "not before one came");
    for key in ["a", "b"] {
        world.bind("x", key, to_queue("q")).await;
    }
    world.broker.unbind(&binding("x", "a", to_queue("q"))).await.unwrap();
    assert_eq!(world.publish("x", "b", "").await, Ok(Confirmation::Routed));
    world.delete("q").await;
    assert_eq!(world.publish("x", "b", "").await, Err(ErrorKind::NotFound));
}

#[tokio::test]
async fn closing_a_connection_returns_what_it_had() {
    let world = World::with([classic("q")]).await;
    world.send_all("q", 0..4).await;
    let other = World { broker: world.broker.clone() };
    let mut consumer = other.consume("q", 2).await;
    let (taken, got) = (consumer.next(), other.get("q").await.unwrap());
    other.broker.close(Duration::ZERO).await;
    assert_eq!(world.peek("q"), ["0", "1", "2", "3"]);
    assert!(matches!(consumer.poll(), Poll::Ready(None)));
    for incoming in [taken, got] {
        assert_eq!(incoming.settler.settle(Verdict::Ack).unwrap_err().kind(), ErrorKind::Disconnected);
    }
    assert_eq!(other.broker.status(), ConnectionStatus::Disconnected);
    assert_eq!(other.publish("", "q", "").await, Err(ErrorKind::Closed));
    assert_eq!(world.broker.status(), ConnectionStatus::Connected);
    World { broker: other.broker.clone() }.send("q", "a clone is a new connection").await;
}

#[tokio::test]
async fn row_26_redeclaring_compares_all_arguments() {
    let ttl = |millis| having(classic("wiki"), |args| args.message_ttl = Some(Duration::from_millis(millis)));
    let world = World::with([ttl(1000)]).await;
    world.declare(ttl(1000)).await.unwrap();
    let longer = having(ttl(1000), |args| args.max_length = Some(5));
    for (queue, expected) in [
        (
            ttl(2000),
            "queue `wiki` exists with other arguments: x-message-ttl is 1000 on the broker and 2000 in the code",
        ),
        (
            classic("wiki"),
            "queue `wiki` exists with other arguments: x-message-ttl is 1000 on the broker and none in the code",
        ),
        (
            longer,
            "queue `wiki` exists with other arguments: x-max-length is none on the broker and 5 in the code",
        ),
        (
            topology::Queue { durable: false, ..ttl(1000) },
            "queue `wiki` exists with other arguments: durable is true on the broker and false in the code",
        ),
        (
            quorum("wiki"),
            "queue `wiki` exists with other arguments: x-queue-type is classic on the broker and quorum in the code",
        ),
    ] {
        let error = world.declare(queue).await.unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Mismatch, expected));
    }
    world.exchange("x", ExchangeKind::Topic).await;
    for (other, expected) in [
        (
            Exchange { kind: ExchangeKind::Direct, ..Exchange::topic(exchange("x")) },
            "exchange `x` exists with other arguments: type is topic on the broker and direct in the code",
        ),
        (
            Exchange { durable: false, ..Exchange::topic(exchange("x")) },
            "exchange `x` exists with other arguments: durable is true on the broker and false in the code",
        ),
    ] {
        let error = world
            .broker
            .declare(&Topology { exchanges: vec![other], ..Topology::default() })
            .await
            .unwrap_err();
        assert_eq!((error.kind(), error.to_string().as_str()), (ErrorKind::Mismatch, expected));
    }
}

#[tokio::test]
async fn row_26_options_that_a_queue_type_does_not_know_are_refused() {
    let world = World::with([]).await;
    for queue in [
        topology::Queue { durable: false, ..quorum("q") },
        topology::Queue { exclusive: true, ..quorum("q") },
        topology::Queue { auto_delete: true, ..quorum("q") },
        having(quorum("q"), |args| args.max_priority = Some(3)),
        having(classic("q"), |args| args.delivery_limit = Some(3)),
        having(classic("q"), |args| {
            args.dead_letter_strategy = Some(topology::DeadLetterStrategy::AtMostOnce)
        }),
        having(classic("q"), |args| args.overflow = Some(Overflow::DropHead)),
    ] {
        let accepted = queue.arguments.overflow.is_some();
        match world.declare(queue.clone()).await {
            Ok(()) => assert!(accepted, "{queue:?}"),
            Err(error) => assert_eq!((error.kind(), accepted), (ErrorKind::QueueOption, false), "{queue:?}"),
        }
    }
}

#[tokio::test]
async fn row_27_names_of_the_broker_are_reserved() {
    let world = World::with([classic("q")]).await;
    let of = |exchange| Topology { exchanges: vec![exchange], ..Topology::default() };
    let bind = |from, to| Topology { bindings: vec![binding(from, "", to)], ..Topology::default() };
    world.broker.declare(&of(Exchange::topic(exchange("amq.topic")))).await.unwrap();
    for (error, kind) in [
        (world.declare(classic("amq.foo")).await, ErrorKind::Permission),
        (world.declare(classic("")).await, ErrorKind::InvalidName),
        (world.broker.declare(&of(Exchange::topic(exchange("amq.foo")))).await, ErrorKind::Permission),
        (world.broker.declare(&of(Exchange::topic(exchange("amq.direct")))).await, ErrorKind::Mismatch),
        (world.broker.declare(&of(Exchange::topic(exchange("")))).await, ErrorKind::Permission),
        (world.broker.declare(&bind("", to_queue("q"))).await, ErrorKind::Permission),
        (world.broker.declare(&bind("amq.topic", to_exchange(""))).await, ErrorKind::Permission),
        (world.broker.declare(&bind("nope", to_queue("q"))).await, ErrorKind::NotFound),
        (world.broker.declare(&bind("amq.topic", to_queue("nope"))).await, ErrorKind::NotFound),
        (world.broker.declare(&bind("amq.topic", to_exchange("nope"))).await, ErrorKind::NotFound),
        (world.broker.unbind(&binding("", "q", to_queue("q"))).await, ErrorKind::Permission),
        (world.broker.delete_exchange(&exchange("")).await, ErrorKind::Permission),
        (world.broker.delete_exchange(&exchange("amq.topic")).await, ErrorKind::Permission),
        (world.try_consume("nope", 1).await.map(drop), ErrorKind::NotFound),
        (world.broker.get(&name("nope")).await.map(drop), ErrorKind::NotFound),
    ] {
        let error = error.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
    }
}

#[tokio::test]
async fn row_27_what_is_missing_can_be_deleted_and_unbound() {
    let world = World::with([classic("q")]).await;
    world.delete("nope").await;
    world.broker.delete_exchange(&exchange("nope")).await.unwrap();
    for (from, to) in [("nope", to_queue("q")), ("amq.topic", to_queue("q")), ("amq.topic", to_queue("nope"))]
    {
        world.broker.unbind(&binding(from, "key", to)).await.unwrap();
    }
    assert_eq!(world.broker.inspect(&name("nope")).await.unwrap(), None);
}

#[tokio::test]
async fn deleting_an_exchange_cuts_the_ways_through_it() {
    let world = World::with([classic("q")]).await;
    for name in ["x1", "x2"] {
        world.exchange(name, ExchangeKind::Fanout).await;
    }
    world.bind("x1", "", to_exchange("x2")).await;
    world.bind("x2", "", to_queue("q")).await;
    assert_eq!(world.publish("x1", "", "").await, Ok(Confirmation::Routed));
    world.broker.delete_exchange(&exchange("x2")).await.unwrap();
    assert_eq!(world.publish("x1", "", "").await, Ok(Confirmation::Unroutable));
    world.exchange("x2", ExchangeKind::Fanout).await;
    assert_eq!(world.publish("x1", "", "").await, Ok(Confirmation::Unroutable), "bindings do not come back");
}
