//! Channels: a connection has a limited number of them, and many end with an error.

use bus_runtime::QueueName;
use bus_runtime::conformance::{Bench, eventually};
use bus_runtime::topology::QueueType;
use bus_runtime::transport::{RabbitMq, Transport};
use bus_tests::node::{connect, shared};
use futures_util::future::join_all;

/// How many channels RabbitMQ gives a connection by default; each look at a queue takes one.
const CHANNELS: usize = 2047;
/// How many looks are under way at once.
const AT_ONCE: usize = 50;

/// Looks at a queue that does not exist, which ends the channel with an error.
async fn look_in_vain(rabbitmq: &RabbitMq, missing: &QueueName, times: usize) {
    for _ in 0..times / AT_ONCE {
        for seen in join_all((0..AT_ONCE).map(|_| rabbitmq.inspect(missing))).await {
            assert_eq!(seen.expect("the broker answers"), None);
        }
    }
}

/// What the broker said on one channel is not told to the next one that gets the same number.
#[tokio::test]
async fn an_error_stays_with_its_channel() {
    let Some(broker) = shared().await else { return };
    let rabbitmq = connect(broker.url()).await;
    let bench = Bench::new(rabbitmq.clone(), broker.prefix());
    let queue = bench.queue("q", QueueType::Classic, |_| {}).await;
    look_in_vain(&rabbitmq, &bench.queue_name("missing"), 300).await;
    for _ in 0..CHANNELS / AT_ONCE {
        for seen in join_all((0..AT_ONCE).map(|_| rabbitmq.inspect(&queue))).await {
            assert!(seen.expect("the broker answers").is_some(), "the queue is there");
        }
    }
    bench.clean_up().await;
}

/// When too many numbers are lost, the connection is made anew.
#[tokio::test]
async fn a_worn_out_connection_is_replaced() {
    let Some(broker) = shared().await else { return };
    let rabbitmq = connect(broker.url()).await;
    let bench = Bench::new(rabbitmq.clone(), broker.prefix());
    let queue = bench.queue("q", QueueType::Classic, |_| {}).await;
    look_in_vain(&rabbitmq, &bench.queue_name("missing"), CHANNELS / AT_ONCE * AT_ONCE - AT_ONCE).await;
    let mut seen = 0;
    eventually("the queue to be seen after a change of connections", async || {
        for looked in join_all((0..AT_ONCE).map(|_| rabbitmq.inspect(&queue))).await {
            match looked {
                Ok(state) => {
                    assert!(state.is_some(), "the queue is there");
                    seen += 1;
                }
                Err(error) => assert_eq!(error.kind(), bus_runtime::ErrorKind::Disconnected, "{error}"),
            }
        }
        seen > 2 * AT_ONCE
    })
    .await;
    bench.clean_up().await;
}
