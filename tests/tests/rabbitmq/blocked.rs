//! A broker that is short of memory: publishers wait, consumers go on.

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use bus_runtime::conformance::{eventually, message};
use bus_runtime::transport::{ConnectionStatus, RabbitMq, RabbitMqOptions, Transport};
use bus_runtime::{BrokerUrl, ErrorKind, ExchangeName};
use bus_tests::node::RabbitNode;

#[tokio::test]
async fn memory_alarm() {
    let Some(node) = RabbitNode::try_start().await else { return };
    let bench = super::bench(&node).await;
    let queue = bench.classic("q", |_| {}).await;
    bench.send_numbers(&queue, 0..2).await;
    let default = ExchangeName::default_exchange();
    node.ctl(&["set_vm_memory_high_watermark", "absolute", "1"]).await;
    // The first publish after the alarm is what makes the broker say so.
    let mut held = bench.transport().publish(Arc::new(message(&default, &queue, "held")));
    assert!(held.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
    let blocked = || matches!(bench.transport().status(), ConnectionStatus::Blocked(reason) if reason.contains("memory"));
    eventually("the broker to block", async || blocked()).await;

    let url = BrokerUrl::parse(&node.url()).expect("a URL");
    let options =
        RabbitMqOptions { publish_timeout: Duration::from_millis(300), ..RabbitMqOptions::default() };
    let impatient = RabbitMq::connect_with(&url, options).await.expect("new connections succeed");
    for _ in 0..2 {
        let error =
            impatient.publish(Arc::new(message(&default, &queue, "late"))).await.expect_err("it is blocked");
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    }
    let mut reader = bench.consume(&queue, 1).await;
    assert_eq!(reader.texts(2).await, ["0", "1"], "consumers go on");

    node.ctl(&["set_vm_memory_high_watermark", "0.4"]).await;
    eventually("the broker to take publishes again", async || {
        bench.transport().status() == ConnectionStatus::Connected
    })
    .await;
    held.await.map(drop).expect("what was held arrives");
    reader.close().await;
    impatient.close(Duration::from_secs(5)).await;
    bench.clean_up().await;
}
