//! Rows 1 to 5, 16 and 24: which queues get a message, and what its publisher hears.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{FutureExt, join_all};

use super::harness::{
    World, binding, classic, dying_to, exchange, having, name, quorum, settle, to_exchange, to_queue,
};
use crate::topology::{ExchangeKind, Overflow, Topology};
use crate::transport::{Confirmation, ConnectionStatus, Transport, Verdict};
use crate::{EmbeddedBroker, Envelope, ErrorKind, RoutingKey};

#[tokio::test]
async fn row_01_confirms_come_in_the_order_of_publishing() {
    let world = World::with([classic("q")]).await;
    let envelope =
        |body: u32| Arc::new(Envelope::new(exchange(""), RoutingKey::new("q").unwrap(), body.to_string()));
    let publishes: Vec<_> = (0..2000).map(|body| world.broker.publish(envelope(body))).collect();
    assert_eq!(world.counts("q").0, 0, "nothing is published before it is polled");
    let confirmed = join_all(publishes).await;
    assert!(confirmed.iter().all(|confirmed| matches!(confirmed, Ok(Confirmation::Routed))));
    assert_eq!(world.peek("q"), (0..2000).map(|body: u32| body.to_string()).collect::<Vec<_>>());
}

#[tokio::test]
async fn row_02_an_unroutable_message_is_confirmed_as_such() {
    let world = World::with([classic("q")]).await;
    world.exchange("topics", ExchangeKind::Topic).await;
    world.bind("topics", "wiki.#", to_queue("q")).await;
    for (to, key, expected) in [
        ("topics", "wiki.page", Confirmation::Routed),
        ("topics", "tracker", Confirmation::Unroutable),
        ("", "q", Confirmation::Routed),
        ("", "nobody", Confirmation::Unroutable),
        ("amq.topic", "nobody.bound.here", Confirmation::Unroutable),
    ] {
        assert_eq!(world.publish(to, key, "").await, Ok(expected), "{to} {key}");
    }
}

#[tokio::test]
async fn row_03_a_missing_exchange_is_an_error() {
    let world = World::with([]).await;
    assert_eq!(world.publish("nowhere", "key", "").await, Err(ErrorKind::NotFound));
}

#[tokio::test]
async fn row_05_a_message_arrives_once_on_all_ways_through_exchanges() {
    let world = World::with([classic("q")]).await;
    for (name, kind) in
        [("x1", ExchangeKind::Topic), ("x2", ExchangeKind::Fanout), ("x3", ExchangeKind::Direct)]
    {
        world.exchange(name, kind).await;
    }
    world.bind("x1", "#", to_queue("q")).await;
    world.bind("x1", "wiki.*", to_queue("q")).await;
    world.bind("x1", "wiki.#", to_exchange("x2")).await;
    world.bind("x2", "", to_exchange("x3")).await;
    world.bind("x2", "", to_queue("q")).await;
    world.bind("x3", "wiki.page", to_queue("q")).await;
    world.bind("x3", "wiki.page", to_exchange("x1")).await;
    assert_eq!(world.publish("x1", "wiki.page", "once").await, Ok(Confirmation::Routed));
    assert_eq!(world.peek("q"), ["once"]);
    assert_eq!(world.first("q").exchange, "x1", "the exchange it was published to");
}

#[tokio::test]
async fn kinds_of_exchanges_route_as_their_name_says() {
    let world = World::with([classic("a"), classic("b")]).await;
    for (kind, keys, expected) in [
        (
            ExchangeKind::Topic,
            ["wiki.*", "#.saved"],
            (vec!["wiki.x", "wiki.saved"], vec!["wiki.saved", "saved"]),
        ),
        (ExchangeKind::Direct, ["wiki.*", "saved"], (vec![], vec!["saved"])),
        (
            ExchangeKind::Fanout,
            ["x", "y"],
            (vec!["wiki.x", "wiki.saved", "saved"], vec!["wiki.x", "wiki.saved", "saved"]),
        ),
    ] {
        let name = kind.as_str();
        world.exchange(name, kind).await;
        world.bind(name, keys[0], to_queue("a")).await;
        world.bind(name, keys[1], to_queue("b")).await;
        for key in ["wiki.x", "wiki.saved", "saved"] {
            world.publish(name, key, key).await.map(drop).unwrap();
        }
        assert_eq!((world.peek("a"), world.peek("b")), (owned(&expected.0), owned(&expected.1)), "{kind}");
        for queue in ["a", "b"] {
            world.broker.purge(&super::harness::name(queue)).await.unwrap();
        }
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_body_is_shared_and_never_copied() {
    let world = World::with([dying_to(classic("a"), "dead"), classic("b"), classic("dead")]).await;
    world.exchange("all", ExchangeKind::Fanout).await;
    world.bind("all", "", to_queue("a")).await;
    world.bind("all", "", to_queue("b")).await;
    let body = Bytes::from(vec![7; 1000]);
    let mut envelope = Envelope::new(exchange("all"), RoutingKey::new("").unwrap(), "");
    envelope.body = body.clone();
    let envelope = Arc::new(envelope);
    assert!(matches!(world.broker.publish(Arc::clone(&envelope)).await, Ok(Confirmation::Routed)));
    assert!(Arc::ptr_eq(&world.first("a"), &envelope) && Arc::ptr_eq(&world.first("b"), &envelope));
    settle(world.get("a").await.unwrap(), Verdict::Reject);
    assert_eq!(world.first("dead").body.as_ptr(), body.as_ptr());
}

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
        (args.max_length, args.overflow) = (Some(2), Some(Overflow::RejectPublish))
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
        (args.max_length, args.overflow) = (Some(0), Some(Overflow::RejectPublish))
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

#[tokio::test]
async fn unbinding_stops_the_flow() {
    let world = World::with([classic("q")]).await;
    world.exchange("x", ExchangeKind::Topic).await;
    for key in ["a", "b"] {
        world.bind("x", key, to_queue("q")).await;
    }
    world.broker.unbind(&binding("x", "a", to_queue("q"))).await.unwrap();
    assert_eq!(world.publish("x", "a", "").await, Ok(Confirmation::Unroutable));
    assert_eq!(world.publish("x", "b", "").await, Ok(Confirmation::Routed));
    world.delete("q").await;
    world.declare(classic("q")).await.unwrap();
    assert_eq!(
        world.publish("x", "b", "").await,
        Ok(Confirmation::Unroutable),
        "bindings go with their queue"
    );
}

#[tokio::test]
async fn purging_deletes_what_is_ready() {
    let world = World::with([classic("q")]).await;
    world.send_all("q", 0..3).await;
    let held = world.get("q").await.unwrap();
    assert_eq!(world.broker.purge(&name("q")).await.unwrap(), 2);
    settle(held, Verdict::Requeue);
    assert_eq!(world.peek("q"), ["0"]);
    assert_eq!(world.broker.purge(&name("nope")).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn everything_can_be_declared_at_once() {
    let world = World::with([]).await;
    let topology = Topology {
        exchanges: vec![crate::topology::Exchange::topic(exchange("x"))],
        queues: vec![classic("q")],
        bindings: vec![binding("x", "#", to_queue("q"))],
    };
    for _ in 0..2 {
        world.broker.declare(&topology).await.unwrap();
    }
    assert_eq!(world.publish("x", "a", "").await, Ok(Confirmation::Routed));
    assert_eq!(world.counts("q"), (1, 0));
}
