//! What is special to RabbitMQ.

use std::sync::Arc;
use std::time::Instant;

use bus_runtime::transport::{Confirmation, ConsumeOptions, RabbitMq, Transport, Verdict};
use bus_runtime::{BrokerUrl, Envelope, ExchangeName, QueueName, RoutingKey, topology::*};
use bus_tests::node::RabbitNode;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn smoke() {
    let t = Instant::now();
    let node = RabbitNode::start().await;
    eprintln!("up in {:?}", t.elapsed());
    let rabbit = RabbitMq::connect(&BrokerUrl::parse(&node.url()).unwrap()).await.unwrap();
    let queue = QueueName::new("q").unwrap();
    let topology =
        Topology { queues: vec![Queue::durable(queue.clone(), QueueType::Classic)], ..Topology::default() };
    rabbit.declare(&topology).await.unwrap();
    let t = Instant::now();
    let futures: Vec<_> = (0..1000)
        .map(|n: u32| {
            let key = if n.is_multiple_of(3) { format!("nowhere.{n}") } else { "q".to_owned() };
            let mut envelope =
                Envelope::new(ExchangeName::default_exchange(), RoutingKey::new(key).unwrap(), n.to_string());
            envelope.properties.persistent = true;
            rabbit.publish(Arc::new(envelope))
        })
        .collect();
    let results = futures_util::future::join_all(futures).await;
    eprintln!("published in {:?}", t.elapsed());
    for (n, result) in results.into_iter().enumerate() {
        let expected = if n % 3 == 0 { Confirmation::Unroutable } else { Confirmation::Routed };
        assert_eq!(result.unwrap(), expected, "{n}");
    }
    let mut consumer =
        rabbit.consume(&queue, ConsumeOptions { prefetch: 50, tag: "t".into() }).await.unwrap();
    let t = Instant::now();
    for n in (0..1000).filter(|n| n % 3 != 0) {
        let incoming = std::future::poll_fn(|cx| consumer.poll_next(cx)).await.unwrap().unwrap();
        assert_eq!(&incoming.envelope.body[..], n.to_string().as_bytes());
        incoming.settler.settle(Verdict::Ack).unwrap();
    }
    eprintln!("consumed in {:?}", t.elapsed());
    consumer.close(std::time::Duration::from_secs(5)).await;
    assert_eq!(rabbit.inspect(&queue).await.unwrap().unwrap().ready, 0);
    assert!(rabbit.get(&queue).await.unwrap().is_none());
    eprintln!("{:?} {:?}", rabbit.describe(), rabbit.status());
    rabbit.close(std::time::Duration::from_secs(5)).await;
}
