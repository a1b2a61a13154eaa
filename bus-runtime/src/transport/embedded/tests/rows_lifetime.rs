//! Rows 18 and 19: how queues go, and what that means for their consumers.

use std::task::Poll;
use std::time::Duration;

use super::harness::{World, binding, classic, exchange, having, name, pass, to_queue};
use crate::topology::{self, Exchange, ExchangeKind, Topology};
use crate::transport::{Confirmation, ConnectionStatus, Transport, Verdict};
use crate::{Error, ErrorKind};

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
