//! Messages that other programs publish and that lapin must not see as they are: each becomes a dead letter, and the worker lives.

use bus_runtime::prelude::*;
use bus_runtime::{BrokerUrl, HeaderValue};
use bus_tests::arena::Calls;
use bus_tests::raw_client::{RawClient, RawMessage, entry, nested_entries};

#[react("*.*")]
async fn never_called_with_them(key: RoutingKey, calls: State<Calls>) {
    calls.add(key);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_messages_are_dead_letters() {
    let Some(broker) = bus_tests::node::shared().await else { return };
    let port = BrokerUrl::parse(broker.url()).unwrap().amqp().unwrap().hosts()[0].port;
    let arena = bus_tests::arena::rabbitmq().await.unwrap();
    let calls = Calls::default();
    let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
    let queue = bus.plan().queues[0].clone();
    let dead = queue.dead.trim_start_matches(arena.name("").as_str()).to_owned();

    let exchange = arena.name("react");
    let plain =
        RawMessage { exchange: exchange.as_bytes(), routing_key: b"hostile.1", ..RawMessage::default() };
    let deep = nested_entries(900);
    let deepest = nested_entries(9_000);
    let lists = (0..2_000).fold(vec![b'V'], |inner, _| {
        [&b"A"[..], &u32::try_from(inner.len()).unwrap().to_be_bytes(), &inner].concat()
    });
    let lists = entry(b"l", lists[0], &lists[1..]);
    let name = entry(b"n\xffme", b'V', b"");
    let rows: [(RawMessage<'_>, &str); 6] = [
        (
            RawMessage { routing_key: b"\xff.a", body: b"\"a\"", ..plain.clone() },
            r"the routing key is not UTF-8: \xff.a",
        ),
        (
            RawMessage { headers: Some(&deep), body: b"\"b\"", ..plain.clone() },
            "the headers nest more than 64",
        ),
        (
            RawMessage { headers: Some(&deepest), body: b"\"c\"", ..plain.clone() },
            "the headers nest more than 64",
        ),
        (
            RawMessage { headers: Some(&lists), body: b"\"d\"", ..plain.clone() },
            "the headers nest more than 64",
        ),
        (
            RawMessage { headers: Some(&name), body: b"\"e\"", ..plain.clone() },
            r"the name of a header is not UTF-8: n\xffme",
        ),
        (RawMessage { message_id: Some(b"\x80"), ..plain.clone() }, r"the message id is not UTF-8: \x80"),
    ];
    let mut client = RawClient::connect(port).unwrap();
    for (message, _) in &rows {
        client.publish(message).unwrap();
    }
    let shallow = nested_entries(60);
    client.publish(&RawMessage { headers: Some(&shallow), routing_key: b"hostile.not", ..plain }).unwrap();
    calls.until(1).await;
    assert_eq!(calls.all(), ["hostile.not"], "what is only unusual is handled");

    arena.until_ready(&dead, rows.len() as u64).await;
    // All of them at once, and by the same way that every message takes.
    let letters = arena.take(&dead).await;
    for (message, expected) in &rows {
        let is_meant = |letter: &&std::sync::Arc<bus_runtime::Envelope>| {
            &letter.body[..] == message.body
                && letter.headers.text("bus-error").is_some_and(|error| error.starts_with(expected))
        };
        let letter = letters.iter().find(is_meant).unwrap_or_else(|| panic!("{expected}: {letters:?}"));
        assert_eq!(letter.headers.text("bus-reason"), Some("malformed"));
        assert_eq!(letter.headers.text("bus-queue"), Some(queue.name.as_str()));
    }
    let [first, second, ..] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!(first.headers.text("bus-routing-key"), Some("?.a"));
    assert!(opaque(second.headers.get("t")) > 5_000, "the tables are kept, as bytes");
    assert_eq!(bus.status(), bus_runtime::transport::ConnectionStatus::Connected);
    bus.shutdown().await;
}

/// How many bytes there are where the tables became too deep.
fn opaque(value: Option<&HeaderValue>) -> usize {
    match value {
        Some(HeaderValue::Table(table)) => opaque(table.get("t")),
        Some(HeaderValue::Bytes(bytes)) => bytes.len(),
        other => panic!("{other:?}"),
    }
}

/// A worker that takes single messages, as `run --once` does.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_messages_can_be_got() {
    use bus_runtime::conformance::Bench;
    use bus_runtime::topology::QueueType;
    use bus_runtime::transport::Verdict;
    let Some(broker) = bus_tests::node::shared().await else { return };
    let port = BrokerUrl::parse(broker.url()).unwrap().amqp().unwrap().hosts()[0].port;
    let bench = Bench::new(broker.connect().await, broker.prefix());
    let queue = bench.queue("q", QueueType::Classic, |_| {}).await;
    let headers = nested_entries(900);
    let key = queue.as_bytes();
    let hostile =
        RawMessage { routing_key: key, headers: Some(&headers), body: b"x", ..RawMessage::default() };
    RawClient::connect(port).unwrap().publish(&hostile).unwrap();
    bench.wait_for_ready(&queue, 1).await;
    let incoming = bench.transport().get(&queue).await.unwrap().unwrap();
    assert!(incoming.defect.is_some_and(|defect| defect.contains("nest")));
    incoming.settler.settle(Verdict::Ack).unwrap();
    bench.send(&queue, "fine").await;
    let incoming = bench.transport().get(&queue).await.unwrap().unwrap();
    assert_eq!(incoming.defect, None);
    incoming.settler.settle(Verdict::Ack).unwrap();
    bench.clean_up().await;
}
