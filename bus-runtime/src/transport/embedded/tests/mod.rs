//! The broker, row by row of what RabbitMQ 3.10.8 was seen to do.

mod harness;
mod invariants;
mod random;
mod rows_dead_letter;
mod rows_dispatch;
mod rows_publish;
mod rows_time;
mod rows_topology;
mod stress;

use harness::{World, classic};

use crate::transport::Verdict;

#[tokio::test]
async fn a_message_is_published_consumed_and_acknowledged() {
    let world = World::with([classic("wiki")]).await;
    let mut consumer = world.consume("wiki", 10).await;
    world.send("wiki", "hello").await;
    let incoming = consumer.next();
    assert_eq!(&incoming.envelope.body[..], b"hello");
    assert!(!world.broker.is_quiet());
    incoming.settler.settle(Verdict::Ack).unwrap();
    assert!(world.broker.is_quiet());
    assert_eq!(world.counts("wiki"), (0, 0));
}
