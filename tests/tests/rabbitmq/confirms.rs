//! Confirms come in batches, and returned messages come with the wrong ones.

use std::sync::Arc;

use bus_runtime::conformance::{Bench, PATIENCE, message};
use bus_runtime::topology::ExchangeKind;
use bus_runtime::transport::{Confirmation, ConnectionStatus, Transport};
use bus_runtime::{Envelope, ErrorKind, ExchangeName};
use bus_tests::node::{RabbitNode, shared};
use futures_util::future::join_all;

/// Publishes all at once; every third to nobody.
async fn every_third_is_unroutable(
    bench: &Bench,
    topic: &ExchangeName,
    id: impl Fn(usize) -> Option<String>,
) {
    let envelope = |number: usize| {
        let key = if number.is_multiple_of(3) { "nobody" } else { "somebody" };
        let mut envelope = message(topic, key, &number.to_string());
        envelope.properties.message_id = id(number).map(Into::into);
        envelope
    };
    let outcomes = join_all((0..1000).map(|number| bench.try_publish(envelope(number)))).await;
    for (number, outcome) in outcomes.into_iter().enumerate() {
        let expected = if number.is_multiple_of(3) { Confirmation::Unroutable } else { Confirmation::Routed };
        assert_eq!(outcome.expect("it is confirmed"), expected, "{number}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exactly_the_unroutable_ones_are_reported() {
    let Some(broker) = shared().await else { return };
    let bench = Bench::new(broker.connect().await, broker.prefix());
    let topic = bench.exchange("topic", ExchangeKind::Topic).await;
    let classic = bench.classic("classic", |_| {}).await;
    let quorum = bench.quorum("quorum", |_| {}).await;
    for queue in [&classic, &quorum] {
        bench.bind(&topic, queue, "somebody").await;
    }
    for round in 0..4 {
        every_third_is_unroutable(&bench, &topic, |number| Some(format!("{round}-{number}"))).await;
        every_third_is_unroutable(&bench, &topic, |_| None).await;
        every_third_is_unroutable(&bench, &topic, |number| Some(format!("pair-{}", number / 2))).await;
    }
    let expected: Vec<_> =
        (0..1000).filter(|number| number % 3 != 0).map(|number: u32| number.to_string()).collect();
    let got = bench.drain_texts(&classic).await;
    assert_eq!(got.len(), 12 * expected.len());
    for round in got.chunks(expected.len()) {
        assert_eq!(round, expected, "in the order of the calls");
    }
    bench.clean_up().await;
}

/// Whoever the broker means without naming it is found; the others arrive.
#[tokio::test]
async fn the_one_that_ends_the_channel_is_found() {
    let Some(broker) = shared().await else { return };
    let bench = Bench::new(broker.connect().await, broker.prefix());
    let queue = bench.classic("q", |_| {}).await;
    let default = ExchangeName::default_exchange();
    let is_bad = |number: usize| number % 20 == 7;
    let envelope = |number: usize| -> Envelope {
        let mut envelope = message(&default, &queue, &number.to_string());
        // The broker checks it: 406, and the text does not say which message it was.
        envelope.properties.user_id = is_bad(number).then(|| "somebody-else".into());
        envelope
    };
    let outcomes = join_all((0..60).map(|number| bench.try_publish(envelope(number)))).await;
    for (number, outcome) in outcomes.into_iter().enumerate() {
        match outcome {
            Ok(confirmation) => {
                assert_eq!((is_bad(number), confirmation), (false, Confirmation::Routed), "{number}");
            }
            Err(error) => assert!(is_bad(number) && error.kind() == ErrorKind::Broker, "{number}: {error}"),
        }
    }
    let mut got: Vec<usize> =
        bench.drain_texts(&queue).await.iter().map(|text| text.parse().expect("a number")).collect();
    got.sort_unstable();
    got.dedup();
    assert_eq!(got, (0..60).filter(|number| !is_bad(*number)).collect::<Vec<_>>());
    bench.clean_up().await;
}

/// Closing waits for the confirms that are under way; later publishes are refused.
#[tokio::test]
async fn close_waits_for_confirms() {
    let Some(broker) = shared().await else { return };
    let bench = Bench::new(broker.connect().await, broker.prefix());
    let queue = bench.classic("q", |_| {}).await;
    let rabbitmq = broker.connect().await;
    let envelope = |number: usize| message(&ExchangeName::default_exchange(), &queue, &number.to_string());
    let published = join_all((0..200).map(|number| rabbitmq.publish(Arc::new(envelope(number)))));
    let (outcomes, ()) = tokio::join!(published, rabbitmq.close(PATIENCE));
    for outcome in outcomes {
        assert_eq!(outcome.expect("it is confirmed"), Confirmation::Routed);
    }
    let error = rabbitmq.publish(Arc::new(envelope(0))).await.expect_err("it is closed");
    assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
    assert_eq!(rabbitmq.status(), ConnectionStatus::Disconnected);
    bench.wait_for_ready(&queue, 200).await;
    bench.clean_up().await;
}

/// Whatever happens to the connections: what was confirmed is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_confirmed_is_lost_with_the_connection() {
    let Some(node) = RabbitNode::try_start().await else { return };
    let bench = super::bench(&node).await;
    let queue = bench.quorum("q", |_| {}).await;
    let publishing = async {
        let mut confirmed = Vec::new();
        for batch in 0..40 {
            let numbers = (0..100).map(|number| batch * 100 + number);
            let published = numbers.map(|number| {
                let envelope = message(&ExchangeName::default_exchange(), &queue, &format!("{number}"));
                let publish = bench.try_publish(envelope);
                async move { (number, publish.await) }
            });
            for (number, outcome) in join_all(published).await {
                assert_eq!(outcome.expect("it is published in the end"), Confirmation::Routed);
                confirmed.push(number);
            }
        }
        confirmed
    };
    let cutting = async {
        for _ in 0..2 {
            node.ctl(&["close_all_connections", "for a test"]).await;
        }
    };
    let (confirmed, ()) = tokio::join!(publishing, cutting);
    let mut got: Vec<usize> =
        bench.drain_texts(&queue).await.iter().map(|text| text.parse().expect("a number")).collect();
    got.sort_unstable();
    got.dedup();
    assert_eq!(got, confirmed);
    bench.clean_up().await;
}
