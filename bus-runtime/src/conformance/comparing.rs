//! Looking at what is declared, and deleting only what nobody uses.

use std::time::Duration;

use crate::ErrorKind;
use crate::topology::diff::Difference;
use crate::topology::{Exchange, ExchangeKind, Queue, QueueType};
use crate::transport::Deletion;

use super::bench::{Bench, eventually};

fn lines(differences: Option<Vec<Difference>>) -> Vec<String> {
    let mut lines: Vec<_> = differences.expect("it exists").iter().map(ToString::to_string).collect();
    lines.sort();
    lines
}

/// Every argument that differs is told with both values, and nothing is changed.
pub async fn compare_queue(bench: &Bench) {
    let name = bench.queue_name("q");
    for kind in [QueueType::Classic, QueueType::Quorum] {
        let ours = bench
            .queue("q", kind, |arguments| {
                arguments.message_ttl = Some(Duration::from_secs(60));
                arguments.max_length = Some(5);
                arguments.single_active_consumer = true;
            })
            .await;
        bench.send(&ours, "kept").await;
        let mut same = Queue::durable(name.clone(), kind);
        same.arguments.message_ttl = Some(Duration::from_secs(60));
        same.arguments.max_length = Some(5);
        same.arguments.single_active_consumer = true;
        let compared = |queue: Queue| async move {
            bench.transport().compare_queue(&queue).await.expect("the broker answers")
        };
        assert_eq!(lines(compared(same.clone()).await), [""; 0]);
        let mut other = same.clone();
        other.arguments.message_ttl = Some(Duration::from_secs(61));
        other.arguments.max_length = None;
        other.arguments.single_active_consumer = false;
        other.arguments.dead_letter_routing_key = Some("x".to_owned());
        assert_eq!(
            lines(compared(other).await),
            [
                "x-dead-letter-routing-key is none on the broker and x in the code",
                "x-max-length is 5 on the broker and none in the code",
                "x-message-ttl is 60000 on the broker and 61000 in the code",
                "x-single-active-consumer is true on the broker and none in the code",
            ],
            "{kind:?}"
        );
        bench.wait_for_ready(&name, 1).await;
        bench.transport().delete_queue(&name).await.expect("the broker answers");
    }
}

/// A queue of another type, or that does not survive a restart.
pub async fn compare_queue_of_other_type(bench: &Bench) {
    let name = bench.classic("q", |_| {}).await;
    let mut quorum = Queue::durable(name.clone(), QueueType::Quorum);
    quorum.arguments.delivery_limit = Some(7);
    let found = lines(bench.transport().compare_queue(&quorum).await.expect("the broker answers"));
    assert!(
        found.contains(&"x-queue-type is classic on the broker and quorum in the code".to_owned()),
        "{found:?}"
    );
    let transient = Queue { durable: false, ..Queue::durable(name, QueueType::Classic) };
    assert_eq!(
        lines(bench.transport().compare_queue(&transient).await.expect("the broker answers")),
        ["durable is true on the broker and false in the code"]
    );
}

/// What does not exist is not made by looking at it.
pub async fn compare_missing(bench: &Bench) {
    for kind in [QueueType::Classic, QueueType::Quorum] {
        let queue = Queue::durable(bench.queue_name("missing"), kind);
        assert_eq!(bench.transport().compare_queue(&queue).await.expect("the broker answers"), None);
        assert_eq!(bench.ready(&queue.name).await, None);
    }
    let exchange = Exchange::topic(bench.exchange_name("missing"));
    for _ in 0..2 {
        assert_eq!(bench.transport().compare_exchange(&exchange).await.expect("the broker answers"), None);
        assert!(!bench.transport().has_exchange(&exchange.name).await.expect("the broker answers"));
    }
}

/// RabbitMQ can be compared with by declaring only. What is added to such a declaration keeps it from making a queue, should the
/// queue go between the look and the declaration.
pub async fn a_probe_makes_no_queue(bench: &Bench) {
    let mut quorum = Queue::durable(bench.queue_name("quorum"), QueueType::Quorum);
    quorum.arguments.max_priority = Some(1);
    let mut classic = Queue::durable(bench.queue_name("classic"), QueueType::Classic);
    classic.arguments.delivery_limit = Some(1);
    for (queue, argument) in [(quorum, "x-max-priority"), (classic, "x-delivery-limit")] {
        let name = queue.name.clone();
        let error = bench.try_queue(queue).await.expect_err("it is refused");
        assert_eq!(error.kind(), ErrorKind::QueueOption, "{error}");
        assert!(error.to_string().contains(argument), "{error}");
        assert_eq!(bench.ready(&name).await, None);
    }
}

/// The same with exchanges.
pub async fn compare_exchange(bench: &Bench) {
    let name = bench.exchange("topic", ExchangeKind::Topic).await;
    assert!(bench.transport().has_exchange(&name).await.expect("the broker answers"));
    let compared = |exchange: Exchange| async move {
        lines(bench.transport().compare_exchange(&exchange).await.expect("the broker answers"))
    };
    let same = Exchange::topic(name);
    assert_eq!(compared(same.clone()).await, [""; 0]);
    let other = Exchange { kind: ExchangeKind::Fanout, durable: false, auto_delete: true, ..same };
    assert_eq!(
        compared(other).await,
        [
            "auto_delete is false on the broker and true in the code",
            "durable is true on the broker and false in the code",
            "type is topic on the broker and fanout in the code",
        ]
    );
}

/// A queue with messages or consumers stays.
pub async fn delete_idle_queue(bench: &Bench) {
    for kind in [QueueType::Classic, QueueType::Quorum] {
        let name = bench.queue("q", kind, |_| {}).await;
        let delete =
            || async { bench.transport().delete_idle_queue(&name, kind).await.expect("the broker answers") };
        bench.send(&name, "kept").await;
        bench.wait_for_ready(&name, 1).await;
        assert_eq!(delete().await, Deletion::Held("1 message".to_owned()));
        assert_eq!(bench.drain_texts(&name).await, ["kept"]);
        let reader = bench.consume(&name, 1).await;
        assert_eq!(delete().await, Deletion::Held("1 consumer".to_owned()));
        reader.close().await;
        eventually("nobody uses the queue", async || delete().await == Deletion::Done).await;
        assert_eq!(bench.ready(&name).await, None);
        assert_eq!(delete().await, Deletion::Done);
    }
}

/// An exchange that something is bound to stays.
pub async fn delete_unused_exchange(bench: &Bench) {
    let exchange = bench.exchange("topic", ExchangeKind::Topic).await;
    let queue = bench.classic("q", |_| {}).await;
    let binding = bench.bind(&exchange, &queue, "a.#").await;
    let delete =
        || async { bench.transport().delete_unused_exchange(&exchange).await.expect("the broker answers") };
    assert_eq!(delete().await, Deletion::Held("others are bound to it".to_owned()));
    bench.transport().unbind(&binding).await.expect("the broker answers");
    for _ in 0..2 {
        assert_eq!(delete().await, Deletion::Done);
    }
}

/// An exclusive queue is another one than a shared one, and no comparison says in what.
pub async fn compare_exclusive(bench: &Bench) {
    let shared = Queue::durable(bench.queue_name("q"), QueueType::Classic);
    bench.try_queue(shared.clone()).await.expect("the queue is declared");
    let wanted = Queue { exclusive: true, ..shared };
    let error = bench.transport().compare_queue(&wanted).await.expect_err("it is not exclusive");
    assert_eq!(error.kind(), ErrorKind::ExclusiveQueue, "{error}");
}
