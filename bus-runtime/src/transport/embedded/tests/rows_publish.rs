//! Rows 1 to 5: which queues get a message, and what its publisher hears.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;

use super::harness::{World, binding, classic, dying_to, exchange, name, settle, to_exchange, to_queue};
use crate::topology::{ExchangeKind, Topology};
use crate::transport::{Confirmation, Transport, Verdict};
use crate::{Envelope, ErrorKind, RoutingKey};

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
