//! Consumers come back: the proof is a message published afterwards that they receive.

use std::sync::Arc;
use std::time::Duration;

use bus_runtime::conformance::{Bench, Reader, eventually, message, text};
use bus_runtime::topology::{ExchangeKind, Queue, QueueType};
use bus_runtime::transport::{
    Confirmation, ConnectionStatus, Incoming, RabbitMq, RabbitMqOptions, Transport, Verdict,
};
use bus_runtime::{BrokerUrl, Error, ErrorKind, ExchangeName};
use bus_tests::node::RabbitNode;

/// The next message; the losses before it, if any.
async fn next(reader: &mut Reader) -> (Incoming, Vec<Error>) {
    let mut losses = Vec::new();
    loop {
        match reader.item().await.expect("it is not the end") {
            Ok(incoming) => return (incoming, losses),
            Err(error) => losses.push(error),
        }
    }
}

/// Publishes and receives one message.
async fn round_trip(bench: &Bench, reader: &mut Reader, body: &str) -> Vec<Error> {
    let topic = bench.exchange_name("topic");
    assert_eq!(bench.publish(&topic, "a.b", body).await, Confirmation::Routed);
    let (incoming, losses) = next(reader).await;
    assert_eq!(text(&incoming.envelope), body);
    incoming.settler.settle(Verdict::Ack).expect("the channel is there");
    losses
}

/// An exchange, a queue bound to it, and a consumer.
async fn topology(bench: &Bench) -> Reader {
    let topic = bench.exchange("topic", ExchangeKind::Topic).await;
    let queue = bench.quorum("q", |_| {}).await;
    bench.bind(&topic, &queue, "a.*").await;
    bench.consume(&queue, 10).await
}

#[tokio::test]
async fn connections_killed() {
    let Some(node) = RabbitNode::try_start().await else { return };
    let bench = super::bench(&node).await;
    let mut reader = topology(&bench).await;
    assert!(round_trip(&bench, &mut reader, "before").await.is_empty());
    for round in 0..2 {
        node.ctl(&["close_all_connections", "for a test"]).await;
        let losses = round_trip(&bench, &mut reader, &format!("after {round}")).await;
        let kinds: Vec<_> = losses.iter().map(Error::kind).collect();
        assert_eq!(kinds, [ErrorKind::Disconnected], "a loss is told once: {losses:?}");
    }
    reader.close().await;
    bench.clean_up().await;
}

#[tokio::test]
async fn broker_restarted() {
    let Some(mut node) = RabbitNode::try_start().await else { return };
    let bench = super::bench(&node).await;
    let mut reader = topology(&bench).await;
    // What goes with the broker is declared anew as well.
    let transient =
        Queue { durable: false, ..Queue::durable(bench.queue_name("transient"), QueueType::Classic) };
    let transient = bench.try_queue(transient).await.expect("it is declared");
    let mut other = bench.consume(&transient, 10).await;
    node.stop().await;
    eventually("the loss to show", async || bench.transport().status() == ConnectionStatus::Disconnected)
        .await;
    node.boot().await;
    eventually("the connections", async || bench.transport().status() == ConnectionStatus::Connected).await;
    round_trip(&bench, &mut reader, "after").await;
    bench.send(&transient, "after").await;
    assert_eq!(text(&next(&mut other).await.0.envelope), "after");
    reader.close().await;
    other.close().await;
    bench.clean_up().await;
}

#[tokio::test]
async fn broker_killed_while_publishing() {
    let Some(mut node) = RabbitNode::try_start().await else { return };
    let bench = super::bench(&node).await;
    let queue = bench.classic("q", |_| {}).await;
    bench.send(&queue, "before").await;
    let url = BrokerUrl::parse(&node.url()).expect("a URL");
    let options =
        RabbitMqOptions { publish_timeout: Duration::from_millis(300), ..RabbitMqOptions::default() };
    let impatient = RabbitMq::connect_with(&url, options).await.expect("a connection");
    node.kill();
    for transport in [bench.transport(), &impatient] {
        eventually("the loss to show", async || transport.status() == ConnectionStatus::Disconnected).await;
    }
    let default = ExchangeName::default_exchange();
    for _ in 0..2 {
        let given_up = impatient.publish(Arc::new(message(&default, &queue, "never"))).await;
        let error = given_up.expect_err("it does not wait so long");
        assert_eq!(error.kind(), ErrorKind::Disconnected, "{error}");
        assert!(error.to_string().contains(&format!("127.0.0.1:{}", node.port())), "{error}");
    }
    let (confirmation, ()) = tokio::join!(bench.publish(&default, &queue, "during"), node.boot());
    assert_eq!(confirmation, Confirmation::Routed, "it waits for the broker");
    eventually("the other one to come back", async || impatient.status() == ConnectionStatus::Connected)
        .await;
    let late = impatient.publish(Arc::new(message(&default, &queue, "late"))).await;
    assert_eq!(late.expect("it is published"), Confirmation::Routed);
    assert_eq!(bench.drain_texts(&queue).await, ["before", "during", "late"]);
    impatient.close(Duration::from_secs(5)).await;
    bench.clean_up().await;
}

/// Deleted by somebody else: queue and bindings come back with the consumer.
#[tokio::test]
async fn queue_deleted() {
    let Some(node) = RabbitNode::try_start().await else { return };
    let bench = super::bench(&node).await;
    let mut reader = topology(&bench).await;
    node.ctl(&["delete_queue", "t.q"]).await;
    let error = reader.item().await.expect("it is not the end").expect_err("the queue is gone");
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    let back = tokio::time::timeout(Duration::from_secs(15), async {
        tokio::select! {
            item = reader.item() => panic!("nothing should arrive yet, but this did: {item:?}"),
            () = eventually("the queue", async || bench.ready(&bench.queue_name("q")).await.is_some()) => {}
        }
    });
    back.await.expect("it comes back in time");
    assert!(round_trip(&bench, &mut reader, "after").await.is_empty());
    reader.close().await;
    bench.clean_up().await;
}

/// The broker closes the channel of a consumer that keeps a message too long. Its old right to settle is worth nothing: it
/// must not settle another message of the new channel.
#[tokio::test]
async fn channel_closed() {
    let Some(node) = RabbitNode::try_start().await else { return };
    for setting in ["consumer_timeout, 1000", "channel_tick_interval, 500"] {
        node.ctl(&["eval", &format!("application:set_env(rabbit, {setting}).")]).await;
    }
    let bench = super::bench(&node).await;
    let queue = bench.quorum("q", |_| {}).await;
    let mut slow = bench.consume(&queue, 1).await;
    let mut other = topology_of_another(&bench).await;
    bench.send(&queue, "kept").await;
    let late = slow.next().await;
    let error = slow.item().await.expect("it is not the end").expect_err("the channel is closed");
    assert_eq!(error.kind(), ErrorKind::AckTimeout, "{error}");
    let again = slow.next().await;
    let error = late.settler.settle(Verdict::Ack).expect_err("its channel is gone");
    assert_eq!(error.kind(), ErrorKind::Disconnected);
    again.settler.settle(Verdict::Requeue).expect("the channel is there");
    assert_eq!(slow.texts(1).await, ["kept"], "nobody has acknowledged it");
    other.assert_idle().await;
    slow.close().await;
    other.close().await;
    bench.clean_up().await;
}

/// A consumer on the same connection, which must not notice anything.
async fn topology_of_another(bench: &Bench) -> Reader {
    let queue = bench.classic("other", |_| {}).await;
    bench.consume(&queue, 1).await
}
