//! What an operator, or another program, does to the queues, exchanges and bindings of a running worker.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bus_runtime::conformance::message;
use bus_runtime::topology::Topology;
use bus_runtime::transport::{ConnectionStatus, RabbitMq, RabbitMqOptions, Transport};
use bus_runtime::{BrokerUrl, ExchangeName};
use bus_tests::node::{self, RabbitNode};
use bus_tests::proxy::Proxy;
use serde_json::json;

use crate::nodes::shared;
use crate::rig::{Rig, until, url};

async fn delete(node: &RabbitNode, rig: &Rig, what: &str, name: &str) {
    node.manage("DELETE", &format!("{what}/{}/{name}", rig.vhost), None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n3_queue_deleted() {
    let Some(node) = shared().await else { return };
    let rig = Rig::start(node, node.port(), "deleted").await;
    rig.publish_round().await;
    rig.until_idle(node).await;
    let deleted = Instant::now();
    for handler in ["load", "flaky"] {
        delete(node, &rig, "queues", &rig.queue(handler).0).await;
    }
    let back = rig.until_back(deleted).await;
    assert_eq!(rig.bus.status(), ConnectionStatus::Connected, "it costs nobody else a connection");
    rig.balance(node, "queues deleted", back).await;
}

/// Somebody else was faster, and made another queue of the same name: it is consumed, and gets its bindings.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n3_queue_made_anew_with_other_arguments() {
    let Some(node) = shared().await else { return };
    let rig = Rig::start(node, node.port(), "remade").await;
    let (queue, _) = rig.queue("load");
    delete(node, &rig, "queues", &queue).await;
    let other =
        json!({ "durable": true, "arguments": { "x-queue-type": "classic", "x-max-length": 10_000 } });
    let made = Instant::now();
    node.manage("PUT", &format!("queues/{}/{queue}", rig.vhost), Some(other)).await;
    let back = rig.until_back(made).await;
    let there = node.manage("GET", &format!("queues/{}/{queue}", rig.vhost), None).await;
    assert_eq!(there["arguments"]["x-queue-type"], "classic", "it is not deleted by us");
    rig.balance(node, "queue made anew with other arguments", back).await;
}

/// Nobody tells a consumer that the exchange of its messages is gone. Who publishes notices.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exchange_deleted() {
    let Some(node) = shared().await else { return };
    let rig = Rig::start(node, node.port(), "exchange").await;
    rig.publish_round().await;
    let deleted = Instant::now();
    delete(node, &rig, "exchanges", "audit").await;
    rig.publish_round().await;
    let back = rig.until_back(deleted).await;
    rig.balance(node, "exchange deleted", back).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn binding_removed() {
    let Some(node) = shared().await else { return };
    let rig = Rig::start(node, node.port(), "binding").await;
    let (queue, _) = rig.queue("load");
    let removed = Instant::now();
    delete(node, &rig, "bindings", &format!("e/audit/q/{queue}/load.%23")).await;
    rig.publish_round().await;
    let back = rig.until_back(removed).await;
    rig.balance(node, "binding removed", back).await;
}

/// When somebody else publishes, who does not know the bindings, they come back all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_away_comes_back_by_itself() {
    let Some(node) = shared().await else { return };
    let vhost = crate::rig::vhost(node, "upkeep").await;
    let address = BrokerUrl::parse(&url(node.port(), &vhost)).unwrap();
    let options = RabbitMqOptions { upkeep: Duration::from_millis(300), ..RabbitMqOptions::default() };
    let transport = Arc::new(RabbitMq::connect_with(&address, options).await.unwrap());
    let ledger = bus_tests::balance::Ledger::default();
    let app = crate::rig::app(&url(node.port(), &vhost), "faults::rig").state(ledger.clone());
    let bus = app.transport(transport).start().await.unwrap();
    let other = node::connect(&url(node.port(), &vhost)).await;
    node.manage("DELETE", &format!("exchanges/{vhost}/audit"), None).await;
    let audit = ExchangeName::new("audit").unwrap();
    let mut id = 0;
    let back = async {
        while ledger.count_handled() == 0 {
            id += 1;
            let _ = other.publish(Arc::new(message(&audit, "load.x", &id.to_string()))).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), back)
        .await
        .expect("the exchange and its bindings are back");
    bus.shutdown().await;
    other.close(Duration::from_secs(5)).await;
    node.delete_vhost(&vhost).await;
}

/// The broker forgets a consumer and says nothing: the channel stands, and no message comes. It is found out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_the_broker_forgot() {
    let Some(node) = shared().await else { return };
    let proxy = Proxy::start(node.port());
    let rig = watchful(node, proxy.port(), "forgotten").await;
    rig.publish_round().await;
    rig.until_idle(node).await;
    let (queue, _) = rig.queue("load");
    let consumer = consumer_of(node, &rig.vhost, &queue).await;
    let length = u32::try_from(consumer.tag.len()).unwrap();
    // basic.cancel in our name, to which no answer is wanted.
    let cancel = [
        &[1][..],
        &consumer.channel.to_be_bytes(),
        &(length + 6).to_be_bytes(),
        &[0, 60, 0, 30, u8::try_from(length).unwrap()],
        consumer.tag.as_bytes(),
        &[1, 0xce],
    ];
    let control = node::connect(&url(node.port(), &rig.vhost)).await;
    let forgotten = Instant::now();
    proxy.inject(consumer.port, &cancel.concat());
    let gone = async {
        while control.inspect(&queue).await.unwrap().unwrap().consumers > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("the broker cancels it");
    assert!(rig.is_ready(), "nobody has told us: {:?}", rig.bus.consumers());
    let back = rig.until_back(forgotten).await;
    control.close(Duration::from_secs(5)).await;
    rig.balance(node, "consumer forgotten by the broker", back).await;
}

/// A program that deletes a quorum queue and makes it anew in one breath: the broker counts our
/// consumer among those of the new queue, and gives it nothing. It is made anew when nothing comes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n3_queue_made_anew_at_once() {
    let Some(node) = shared().await else { return };
    let rig = watchful(node, node.port(), "at-once").await;
    let (queue, _) = rig.queue("load");
    let other = node::connect(&url(node.port(), &rig.vhost)).await;
    let anew = rig.bus.plan().topology.queues.iter().find(|planned| planned.name == queue).cloned().unwrap();
    let anew = Topology { queues: vec![anew], ..Topology::default() };
    let mut slowest = Duration::ZERO;
    for _ in 0..3 {
        other.delete_queue(&queue).await.unwrap();
        other.declare(&anew).await.unwrap();
        let made = Instant::now();
        slowest = slowest.max(rig.until_back(made).await);
    }
    other.close(Duration::from_secs(5)).await;
    rig.balance(node, "queue made anew at once, three times", slowest).await;
}

/// A worker that looks after what it needs each half second, and not each minute.
async fn watchful(node: &RabbitNode, port: u16, name: &str) -> Rig {
    let vhost = crate::rig::vhost(node, name).await;
    let address = url(port, &vhost);
    let options = RabbitMqOptions { upkeep: Duration::from_millis(500), ..RabbitMqOptions::default() };
    let transport = RabbitMq::connect_with(&BrokerUrl::parse(&address).unwrap(), options).await.unwrap();
    Rig::start_on(transport, &address, vhost).await
}

/// An acknowledgement that the broker does not know ends the channel, and only the consumer on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn n2_channel_closed_by_a_bogus_acknowledgement() {
    let Some(node) = shared().await else { return };
    let proxy = Proxy::start(node.port());
    let rig = Rig::start(node, proxy.port(), "bogus").await;
    rig.publish_round().await;
    rig.until_idle(node).await;
    let (queue, _) = rig.queue("load");
    let Served { port, channel, .. } = consumer_of(node, &rig.vhost, &queue).await;
    let connections = proxy.accepted().len();
    let ack =
        [&[1][..], &channel.to_be_bytes(), &[0, 0, 0, 13, 0, 60, 0, 80], &999_u64.to_be_bytes(), &[0, 0xce]];
    let closed = Instant::now();
    proxy.inject(port, &ack.concat());
    until("the consumer has another channel", || {
        let stats = rig.bus.consumers();
        stats.len() == 5 && proxy.injected() == 1
    })
    .await;
    while consumer_of(node, &rig.vhost, &queue).await.is_at(port, channel) {
        assert!(closed.elapsed() < Duration::from_secs(20), "the channel is not closed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let back = rig.until_back(closed).await;
    assert_eq!(proxy.accepted().len(), connections, "the connections stay");
    rig.balance(node, "bogus acknowledgement", back).await;
}

/// A consumer, as the broker sees it.
struct Served {
    /// That of our end of the connection.
    port: u16,
    channel: u16,
    tag: String,
}

impl Served {
    fn is_at(&self, port: u16, channel: u16) -> bool {
        (self.port, self.channel) == (port, channel)
    }
}

/// Who consumes a queue.
async fn consumer_of(node: &RabbitNode, vhost: &str, queue: &str) -> Served {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let consumers = node.manage("GET", &format!("consumers/{vhost}"), None).await;
        let of_queue =
            consumers.as_array().into_iter().flatten().find(|found| found["queue"]["name"] == queue);
        if let Some(found) = of_queue {
            let detail = |name: &str| {
                found["channel_details"][name].as_u64().and_then(|n| u16::try_from(n).ok()).unwrap()
            };
            let tag = found["consumer_tag"].as_str().unwrap().to_owned();
            return Served { port: detail("peer_port"), channel: detail("number"), tag };
        }
        assert!(Instant::now() < deadline, "nobody consumes {queue}: {consumers}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
