//! Refused and failed connections: the error says what, where, as whom and what to do, and never the password.

use std::error::Error as _;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use bus_runtime::conformance::{Bench, message};
use bus_runtime::topology::{Queue, QueueType, Topology};
use bus_runtime::transport::{RabbitMq, Transport};
use bus_runtime::{BrokerUrl, Error, ErrorKind, QueueName};
use bus_tests::node::{RabbitNode, connect, shared};

const PASSWORD: &str = "S3CR3T-xyz";

/// Everything that can be seen of an error.
fn everything(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {:?}", error.help());
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(&format!(" {cause} {cause:?}"));
        source = cause.source();
    }
    text
}

/// Connects in vain.
async fn refused(url: &str, kind: ErrorKind, words: &[&str]) -> Error {
    let url = BrokerUrl::parse(url).expect("a URL");
    let error = RabbitMq::connect(&url).await.expect_err("it is refused");
    assert_eq!(error.kind(), kind, "{error}");
    let shown = format!("{error}\n{}", error.help().expect("it says what to do"));
    for word in words {
        assert!(shown.contains(word), "{shown:?} should say {word:?}");
    }
    let everything = everything(&error);
    assert!(!everything.contains(PASSWORD) && !everything.contains("S3CR3T"), "{everything}");
    error
}

fn address(url: &str) -> &str {
    url.rsplit_once('@').map_or(url, |(_, address)| address)
}

#[tokio::test]
async fn wrong_password() {
    let Some(broker) = shared().await else { return };
    let address = address(broker.url());
    let url = format!("amqp://app:{PASSWORD}@{address}");
    let error = refused(&url, ErrorKind::AccessRefused, &[address, "user `app`", "password"]).await;
    assert_eq!((error.kind().code(), error.kind().exit_code()), ("BUS0103", 77));
    let url = format!("amqp://guest:{PASSWORD}@{address}");
    refused(&url, ErrorKind::AccessRefused, &[address, "user `guest`", "localhost"]).await;
}

#[tokio::test]
async fn missing_vhost() {
    let Some(broker) = shared().await else { return };
    let url = format!("{}/prdo", broker.url());
    let words = ["vhost `prdo`", address(broker.url()), "user `guest`", "rabbitmqctl add_vhost prdo"];
    let error = refused(&url, ErrorKind::Vhost, &words).await;
    assert_eq!(error.kind().code(), "BUS0104");
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

#[tokio::test]
async fn nothing_listens() {
    let port = free_port();
    let url = format!("amqp://app:{PASSWORD}@127.0.0.1:{port}");
    let address = format!("127.0.0.1:{port}");
    let words = [address.as_str(), "user `app`", "connection refused", "docker run -p 5672:5672 rabbitmq"];
    let error = refused(&url, ErrorKind::Connect, &words).await;
    assert_eq!((error.kind().code(), error.kind().exit_code()), ("BUS0101", 69));
}

#[tokio::test]
async fn unknown_host() {
    let url = format!("amqp://app:{PASSWORD}@no-such-host.invalid");
    let error = refused(&url, ErrorKind::NameResolution, &["no-such-host.invalid", "DNS"]).await;
    assert_eq!(error.kind().code(), "BUS0102");
}

/// A peer that takes the connection and says nothing, and one that is no RabbitMQ.
#[tokio::test]
async fn not_rabbitmq() {
    let silent = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = silent.local_addr().expect("its address").port();
    let started = Instant::now();
    let url = format!("amqp://app:{PASSWORD}@127.0.0.1:{port}?connection_timeout=300");
    refused(&url, ErrorKind::Connect, &["does not answer user `app`", "0.3 s"]).await;
    assert!(started.elapsed() < Duration::from_secs(5));
    let closing = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = closing.local_addr().expect("its address").port();
    let server = std::thread::spawn(move || drop(closing.accept()));
    let url = format!("amqp://app:{PASSWORD}@127.0.0.1:{port}");
    refused(&url, ErrorKind::Connect, &["ended the AMQP handshake", "15672"]).await;
    server.join().expect("the thread ends");
}

/// The next host is tried when one does not answer.
#[tokio::test]
async fn several_hosts() {
    let Some(broker) = shared().await else { return };
    let url = broker.url().replace("127.0.0.1", &format!("127.0.0.1:{},127.0.0.1", free_port()));
    let rabbitmq =
        RabbitMq::connect(&BrokerUrl::parse(&url).expect("a URL")).await.expect("the second host answers");
    rabbitmq.close(Duration::from_secs(5)).await;
}

/// Users with fewer rights: which one is missing, and how to grant it.
#[tokio::test]
async fn permissions() {
    let Some(node) = RabbitNode::try_start().await else { return };
    node.ctl(&["add_user", "reader", PASSWORD]).await;
    node.ctl(&["set_permissions", "reader", "", "", ".*"]).await;
    let admin = super::bench(&node).await;
    let queue = admin.classic("q", |_| {}).await;
    let url = node.url().replace("guest:guest", &format!("reader:{PASSWORD}"));
    let bench = Bench::new(connect(&url).await, "r.".to_owned());
    let declared = bench.try_queue(Queue::durable(bench.queue_name("q"), QueueType::Classic)).await;
    let topic = bus_runtime::ExchangeName::new("amq.topic").expect("short");
    let published = bench.try_publish(message(&topic, "a", "x")).await.map(drop);
    for (result, permission) in [(declared.map(drop), "configure"), (published, "write")] {
        let error = result.expect_err("it is not allowed");
        assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
        assert!(
            error.to_string().contains(&format!("user `reader` lacks the {permission} permission")),
            "{error}"
        );
        assert!(error.help().expect("a way out").starts_with("rabbitmqctl set_permissions -p / reader"));
        assert!(!everything(&error).contains(PASSWORD));
    }
    bench.consume(&queue, 1).await.close().await;
    bench.clean_up().await;
    admin.clean_up().await;
}

/// An exclusive queue belongs to one connection.
#[tokio::test]
async fn exclusive_queue() {
    let Some(broker) = shared().await else { return };
    let owner = Bench::new(broker.connect().await, broker.prefix());
    let other = broker.connect().await;
    let queue = Queue {
        exclusive: true,
        durable: false,
        ..Queue::durable(owner.queue_name("q"), QueueType::Classic)
    };
    let name: QueueName = owner.try_queue(queue.clone()).await.expect("it is declared");
    let topology = Topology { queues: vec![queue], ..Topology::default() };
    for error in
        [other.declare(&topology).await.err(), other.inspect(&name).await.err(), other.get(&name).await.err()]
    {
        assert_eq!(error.expect("it is locked").kind(), ErrorKind::ExclusiveQueue);
    }
    other.close(Duration::from_secs(5)).await;
    owner.clean_up().await;
}

#[tokio::test]
async fn version_of_the_server() {
    let Some(broker) = shared().await else { return };
    let rabbitmq = broker.connect().await;
    let description = rabbitmq.describe();
    assert_eq!(description.system, "rabbitmq");
    assert!(description.address.starts_with("amqp://guest:***@"), "{description:?}");
    let version = description.server.strip_prefix("RabbitMQ ").expect("the product");
    assert!(version.split('.').count() >= 3, "{description:?}");
    rabbitmq.close(Duration::from_secs(5)).await;
}
