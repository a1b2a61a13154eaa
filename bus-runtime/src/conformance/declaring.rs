//! Declaring, looking, getting and deleting.

use std::time::Duration;

use crate::topology::{Binding, Destination, Exchange, ExchangeKind, Queue, QueueType, Topology};
use crate::transport::{QueueState, Verdict};
use crate::{BindingKey, Error, ErrorKind, ExchangeName};

use super::bench::{Bench, text};

fn assert_kind<T: std::fmt::Debug>(result: Result<T, Error>, kind: ErrorKind, words: &[&str]) {
    let error = result.expect_err("it is refused");
    assert_eq!(error.kind(), kind, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{error} should say {word}");
    }
}

/// What exists already with the same arguments is left alone.
pub async fn declare_twice(bench: &Bench) {
    for _ in 0..2 {
        let topic = bench.exchange("topic", ExchangeKind::Topic).await;
        let queue = bench
            .quorum("q", |arguments| {
                arguments.message_ttl = Some(Duration::from_secs(60));
                arguments.delivery_limit = Some(100);
                arguments.dead_letter_exchange = Some(ExchangeName::default_exchange());
                arguments.dead_letter_routing_key = Some("somewhere".to_owned());
            })
            .await;
        bench.bind(&topic, &queue, "a.*").await;
        bench.send(&queue, "kept").await;
    }
    bench.wait_for_ready(&bench.queue_name("q"), 2).await;
}

/// A queue that exists with other arguments is refused, naming the argument, and stays as it was.
pub async fn queue_mismatch(bench: &Bench) {
    let name = bench.queue_name("q");
    let queue = bench.classic("q", |arguments| arguments.message_ttl = Some(Duration::from_secs(60))).await;
    bench.send(&queue, "kept").await;
    let same = || {
        let mut queue = Queue::durable(name.clone(), QueueType::Classic);
        queue.arguments.message_ttl = Some(Duration::from_secs(60));
        queue
    };
    let mut other_value = same();
    other_value.arguments.message_ttl = Some(Duration::from_secs(61));
    let mut missing = same();
    missing.arguments.message_ttl = None;
    let mut extra = same();
    extra.arguments.max_length = Some(5);
    let transient = Queue { durable: false, ..same() };
    let table = [
        (other_value, vec![name.as_str(), "x-message-ttl", "60000", "61000"]),
        (missing, vec![name.as_str(), "x-message-ttl", "60000"]),
        (extra, vec![name.as_str(), "x-max-length", "5"]),
        (transient, vec![name.as_str(), "durable", "true", "false"]),
    ];
    for (queue, words) in table {
        assert_kind(bench.try_queue(queue).await, ErrorKind::Mismatch, &words);
    }
    let mut quorum = same();
    quorum.arguments.queue_type = QueueType::Quorum;
    assert_kind(bench.try_queue(quorum).await, ErrorKind::Mismatch, &["x-queue-type"]);
    assert_eq!(bench.drain_texts(&name).await, ["kept"]);
}

/// The same with exchanges.
pub async fn exchange_mismatch(bench: &Bench) {
    let name = bench.exchange("topic", ExchangeKind::Topic).await;
    let same = Exchange::topic(name.clone());
    let table = [
        (Exchange { kind: ExchangeKind::Direct, ..same.clone() }, "type"),
        (Exchange { durable: false, ..same.clone() }, "durable"),
        (Exchange { auto_delete: true, ..same }, "auto"),
    ];
    for (exchange, word) in table {
        let topology = Topology { exchanges: vec![exchange], ..Topology::default() };
        assert_kind(bench.try_declare(topology).await, ErrorKind::Mismatch, &[name.as_str(), word]);
    }
}

/// Options that a queue cannot have are refused.
pub async fn refused_options(bench: &Bench) {
    let classic = || Queue::durable(bench.queue_name("q"), QueueType::Classic);
    let quorum = || Queue::durable(bench.queue_name("q"), QueueType::Quorum);
    let mut key_alone = classic();
    key_alone.arguments.dead_letter_routing_key = Some("x".to_owned());
    let mut priorities = quorum();
    priorities.arguments.max_priority = Some(5);
    let table =
        [key_alone, priorities, Queue { durable: false, ..quorum() }, Queue { exclusive: true, ..quorum() }];
    for queue in table {
        assert_kind(bench.try_queue(queue).await, ErrorKind::QueueOption, &[]);
    }
    assert_eq!(bench.ready(&bench.queue_name("q")).await, None);
}

/// Both ends of a binding must exist.
pub async fn bind_missing(bench: &Bench) {
    let topic = bench.exchange("topic", ExchangeKind::Topic).await;
    let queue = bench.classic("q", |_| {}).await;
    let missing = bench.exchange_name("missing");
    let table = [
        (missing.clone(), Destination::Queue(queue)),
        (topic.clone(), Destination::Queue(bench.queue_name("missing"))),
        (topic, Destination::Exchange(missing)),
    ];
    for (exchange, destination) in table {
        let binding = Binding { exchange, destination, key: BindingKey::parse("#").expect("short") };
        let topology = Topology { bindings: vec![binding], ..Topology::default() };
        assert_kind(bench.try_declare(topology).await, ErrorKind::NotFound, &["missing"]);
    }
}

/// Names that begin with `amq.` belong to the broker.
pub async fn reserved_names(bench: &Bench) {
    let name = crate::QueueName::new("amq.mine").expect("short");
    let queue = Queue::durable(name, QueueType::Classic);
    let topology = Topology { queues: vec![queue], ..Topology::default() };
    assert_kind(bench.transport().declare(&topology).await, ErrorKind::InvalidName, &["amq."]);
}

/// The default exchange is as it is.
pub async fn default_exchange_is_fixed(bench: &Bench) {
    let queue = bench.classic("q", |_| {}).await;
    let default = ExchangeName::default_exchange();
    let key = BindingKey::parse("#").expect("short");
    let bind = Binding { exchange: default.clone(), destination: Destination::Queue(queue), key };
    let bind = Topology { bindings: vec![bind], ..Topology::default() };
    assert_kind(bench.try_declare(bind).await, ErrorKind::InvalidName, &["default exchange"]);
    let deleted = bench.transport().delete_exchange(&default).await;
    assert_kind(deleted, ErrorKind::InvalidName, &["default exchange"]);
}

/// Looking at a queue changes nothing; `None` when there is none.
pub async fn inspect(bench: &Bench) {
    let queue = bench.classic("q", |_| {}).await;
    bench.send_numbers(&queue, 0..3).await;
    for _ in 0..2 {
        let state = bench.transport().inspect(&queue).await.expect("it can be looked at");
        assert_eq!(state, Some(QueueState { ready: 3, consumers: 0 }));
    }
    assert_eq!(bench.transport().inspect(&bench.queue_name("missing")).await.expect("it can be asked"), None);
}

/// Purging deletes what is ready, and says how much that was; what is with a consumer stays.
pub async fn purge(bench: &Bench) {
    let queue = bench.classic("q", |_| {}).await;
    bench.send_numbers(&queue, 0..5).await;
    let held = bench.transport().get(&queue).await.expect("it is there").expect("a message");
    assert_eq!(bench.transport().purge(&queue).await.expect("it is purged"), 4);
    assert_eq!(bench.transport().purge(&queue).await.expect("it is purged"), 0);
    held.settler.settle(Verdict::Requeue).expect("the channel is there");
    bench.wait_for_ready(&queue, 1).await;
    assert_kind(
        bench.transport().purge(&bench.queue_name("missing")).await,
        ErrorKind::NotFound,
        &["missing"],
    );
}

/// Getting takes one message at a time, in order; what is dropped unsettled goes back.
pub async fn get(bench: &Bench) {
    let queue = bench.classic("q", |_| {}).await;
    bench.send_numbers(&queue, 0..3).await;
    let get = async || bench.transport().get(&queue).await.expect("it is there");
    let first = get().await.expect("a message");
    let second = get().await.expect("a message");
    assert_eq!((text(&first.envelope), text(&second.envelope)), ("0".to_owned(), "1".to_owned()));
    assert!(!first.redelivered);
    first.settler.settle(Verdict::Ack).expect("the channel is there");
    drop(second);
    bench.wait_for_ready(&queue, 2).await;
    assert_eq!(bench.drain_texts(&queue).await, ["1", "2"]);
    assert!(get().await.is_none());
    assert_kind(bench.transport().get(&bench.queue_name("missing")).await, ErrorKind::NotFound, &["missing"]);
}

/// Getting that is refused gives back nothing that was taken before.
pub async fn refused_get(bench: &Bench) {
    let queue = bench.classic("q", |_| {}).await;
    bench.send_numbers(&queue, 0..2).await;
    let held = bench.transport().get(&queue).await.expect("it is there").expect("a message");
    assert_kind(bench.transport().get(&bench.queue_name("missing")).await, ErrorKind::NotFound, &["missing"]);
    held.settler.settle(Verdict::Ack).expect("it is held still");
    assert_eq!(bench.drain_texts(&queue).await, ["1"]);
}

/// Deleting what is not there is fine; what is there goes with its bindings.
pub async fn delete(bench: &Bench) {
    let topic = bench.exchange("topic", ExchangeKind::Topic).await;
    let queue = bench.classic("q", |_| {}).await;
    bench.bind(&topic, &queue, "#").await;
    bench.send(&queue, "gone").await;
    for _ in 0..2 {
        bench.transport().delete_queue(&queue).await.expect("it is deleted");
    }
    assert_eq!(bench.ready(&queue).await, None);
    let confirmation = bench.publish(&topic, "a", "x").await;
    assert_eq!(confirmation, crate::transport::Confirmation::Unroutable);
    for _ in 0..2 {
        bench.transport().delete_exchange(&topic).await.expect("it is deleted");
    }
    let again = bench.classic("q", |_| {}).await;
    assert_eq!(bench.ready(&again).await, Some(0), "the new queue is empty");
    assert_kind(
        bench.try_publish(super::bench::message(&topic, "a", "x")).await,
        ErrorKind::NotFound,
        &["topic"],
    );
}

/// What a transport says about itself names no password.
pub async fn describe(bench: &Bench) {
    let description = bench.transport().describe();
    assert!(!description.system.is_empty() && !description.server.is_empty(), "{description:?}");
    assert!(!format!("{description:?} {:?}", bench.transport()).contains("guest:guest"));
    assert_eq!(bench.transport().status(), crate::transport::ConnectionStatus::Connected);
}
