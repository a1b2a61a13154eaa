//! Rows 17, 26 and 27: priorities, and what declarations are compared with and refused for.

use std::time::Duration;

use super::harness::{
    World, binding, classic, exchange, having, name, pass, quorum, settle, to_exchange, to_queue,
};
use crate::ErrorKind;
use crate::topology::{self, Exchange, ExchangeKind, Overflow, Topology};
use crate::transport::{Confirmation, Transport, Verdict};

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
        (
            Exchange { auto_delete: true, ..Exchange::topic(exchange("x")) },
            "exchange `x` exists with other arguments: auto_delete is false on the broker and true in the code",
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
            args.dead_letter_strategy = Some(topology::DeadLetterStrategy::AtMostOnce);
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
        (world.declare(classic("amq.foo")).await, ErrorKind::InvalidName),
        (world.declare(classic("")).await, ErrorKind::InvalidName),
        (world.broker.declare(&of(Exchange::topic(exchange("amq.foo")))).await, ErrorKind::InvalidName),
        (world.broker.declare(&of(Exchange::topic(exchange("amq.direct")))).await, ErrorKind::Mismatch),
        (world.broker.declare(&of(Exchange::topic(exchange("")))).await, ErrorKind::InvalidName),
        (world.broker.declare(&bind("", to_queue("q"))).await, ErrorKind::InvalidName),
        (world.broker.declare(&bind("amq.topic", to_exchange(""))).await, ErrorKind::InvalidName),
        (world.broker.declare(&bind("nope", to_queue("q"))).await, ErrorKind::NotFound),
        (world.broker.declare(&bind("amq.topic", to_queue("nope"))).await, ErrorKind::NotFound),
        (world.broker.declare(&bind("amq.topic", to_exchange("nope"))).await, ErrorKind::NotFound),
        (world.broker.unbind(&binding("", "q", to_queue("q"))).await, ErrorKind::InvalidName),
        (world.broker.delete_exchange(&exchange("")).await, ErrorKind::InvalidName),
        (world.broker.delete_exchange(&exchange("amq.topic")).await, ErrorKind::InvalidName),
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
