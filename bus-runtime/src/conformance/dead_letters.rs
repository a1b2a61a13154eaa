//! Messages that leave their queue for its dead-letter exchange, and the story they carry.

use std::sync::Arc;
use std::time::Duration;

use crate::topology::{ExchangeKind, Overflow, QueueArguments};
use crate::transport::{Confirmation, Verdict};
use crate::{Envelope, ExchangeName, HeaderValue, Headers, QueueName};

use super::bench::{Bench, message, text, to_queue};
use crate::seam;

/// Sends dead letters to the queue with this name.
fn dead_to(arguments: &mut QueueArguments, queue: &QueueName) {
    arguments.dead_letter_exchange = Some(ExchangeName::default_exchange());
    arguments.dead_letter_routing_key = Some(queue.to_string());
}

/// The entries of `x-death`, without their times.
fn deaths(envelope: &Envelope) -> Vec<Headers> {
    let Some(HeaderValue::List(entries)) = envelope.headers.get("x-death") else { return Vec::new() };
    let entry = |entry: &HeaderValue| {
        let HeaderValue::Table(entry) = entry else { panic!("{entry:?} is no table") };
        let mut entry = entry.clone();
        assert!(matches!(entry.remove("time"), Some(HeaderValue::Time(_))), "{entry:?}");
        entry
    };
    entries.iter().map(entry).collect()
}

/// Reason and count of each entry.
fn story(envelope: &Envelope) -> Vec<(String, i64)> {
    let entry =
        |death: Headers| (death.text("reason").unwrap_or("?").to_owned(), death.int("count").unwrap_or(-1));
    deaths(envelope).into_iter().map(entry).collect()
}

async fn only(bench: &Bench, queue: &QueueName) -> Arc<Envelope> {
    bench.wait_for_ready(queue, 1).await;
    bench.drain(queue).await.remove(0)
}

/// Takes one message and rejects it.
async fn reject_one(bench: &Bench, queue: &QueueName) {
    bench.wait_for_ready(queue, 1).await;
    let incoming = bench.transport().get(queue).await.expect("it is there").expect("a message");
    incoming.settler.settle(Verdict::Reject).expect("the channel is there");
}

/// A rejected message goes to the dead-letter exchange with its own key, as it was, and tells where it died.
pub async fn rejected(bench: &Bench) {
    let topic = bench.exchange("in", ExchangeKind::Topic).await;
    let dlx = bench.exchange("dlx", ExchangeKind::Topic).await;
    let dead = bench.classic("dead", |_| {}).await;
    let queue = bench.classic("q", |arguments| arguments.dead_letter_exchange = Some(dlx.clone())).await;
    bench.bind(&topic, &queue, "wiki.#").await;
    bench.bind(&dlx, &dead, "#").await;
    let mut envelope = message(&topic, "wiki.page.edit", "body");
    envelope.properties.expiration = Some(Duration::from_secs(60));
    envelope.properties.message_id = Some("m1".into());
    envelope.headers.set("h", 1);
    bench.try_publish(envelope).await.map(drop).expect("it is confirmed");
    reject_one(bench, &queue).await;
    let got = only(bench, &dead).await;
    assert_eq!((got.exchange.as_str(), got.routing_key.as_str()), (dlx.as_str(), "wiki.page.edit"));
    assert_eq!((text(&got), got.properties.message_id.as_deref()), ("body".to_owned(), Some("m1")));
    assert_eq!(got.properties.expiration, None, "it must not expire among the dead");
    assert!(got.properties.persistent);
    let expected: Headers = [
        ("count", HeaderValue::Int(1)),
        ("reason", "rejected".into()),
        ("queue", queue.to_string().into()),
        ("exchange", topic.to_string().into()),
        ("routing-keys", HeaderValue::List(vec!["wiki.page.edit".into()])),
        ("original-expiration", "60000".into()),
    ]
    .into_iter()
    .collect();
    assert_eq!(deaths(&got), [expected]);
    assert_eq!(got.headers.text("x-first-death-reason"), Some("rejected"));
    assert_eq!(got.headers.text("x-first-death-queue"), Some(queue.as_str()));
    assert_eq!(got.headers.text("x-first-death-exchange"), Some(topic.as_str()));
    assert_eq!(got.headers.int("h"), Some(1));
}

/// The queue may say which key its dead letters get.
pub async fn dead_letter_routing_key(bench: &Bench) {
    let dead = bench.classic("dead", |_| {}).await;
    let queue = bench.quorum("q", |arguments| dead_to(arguments, &dead)).await;
    bench.send(&queue, "x").await;
    reject_one(bench, &queue).await;
    let got = only(bench, &dead).await;
    assert_eq!((got.exchange.as_str(), got.routing_key.as_str()), ("", dead.as_str()));
    assert_eq!(story(&got), [("rejected".to_owned(), 1)]);
    let keys = deaths(&got).remove(0).remove("routing-keys");
    assert_eq!(keys, Some(HeaderValue::List(vec![queue.to_string().into()])));
}

/// The same death again is counted, not listed twice; another one is listed first.
pub async fn deaths_are_counted(bench: &Bench) {
    let retry = bench.queue_name("retry");
    let work = bench.classic("work", |arguments| dead_to(arguments, &retry)).await;
    let retry = bench
        .classic("retry", |arguments| {
            dead_to(arguments, &work);
            arguments.message_ttl = Some(Duration::from_millis(30));
        })
        .await;
    bench.send(&work, "x").await;
    for round in 1..4 {
        reject_one(bench, &work).await;
        bench.wait_for_ready(&work, 1).await;
        let incoming = bench.transport().get(&work).await.expect("it is there").expect("a message");
        assert_eq!(
            story(&incoming.envelope),
            [("expired".to_owned(), round), ("rejected".to_owned(), round)]
        );
        assert_eq!(incoming.envelope.headers.text("x-first-death-reason"), Some("rejected"));
        incoming.settler.settle(Verdict::Requeue).expect("the channel is there");
    }
    assert_eq!(bench.ready(&retry).await, Some(0));
}

/// A message that would go round in an automatic circle is dropped.
pub async fn automatic_cycle(bench: &Bench) {
    let name = bench.queue_name("q");
    let queue = bench
        .classic("q", |arguments| {
            dead_to(arguments, &name);
            arguments.message_ttl = Some(Duration::from_millis(30));
        })
        .await;
    bench.send(&queue, "x").await;
    bench.wait_for_ready(&queue, 0).await;
}

/// Without a dead-letter exchange, or with one that does not exist, a rejected message is gone.
pub async fn nowhere_to_go(bench: &Bench) {
    let missing = bench.exchange_name("missing");
    let without = bench.classic("without", |_| {}).await;
    let wrong = bench.classic("wrong", |arguments| arguments.dead_letter_exchange = Some(missing)).await;
    for queue in [without, wrong] {
        bench.send(&queue, "x").await;
        reject_one(bench, &queue).await;
        bench.wait_for_ready(&queue, 0).await;
    }
}

/// The oldest message of a full queue dies for the new one.
pub async fn l5_max_length_drops_head(bench: &Bench) {
    let dead = bench.classic("dead", |_| {}).await;
    let queue = bench
        .classic("q", |arguments| {
            dead_to(arguments, &dead);
            arguments.max_length = Some(3);
        })
        .await;
    bench.send_numbers(&queue, 0..5).await;
    bench.wait_for_ready(&dead, 2).await;
    assert_eq!(bench.drain_texts(&queue).await, ["2", "3", "4"]);
    let died = bench.drain(&dead).await;
    assert_eq!(died.iter().map(|envelope| text(envelope)).collect::<Vec<_>>(), ["0", "1"]);
    assert_eq!(story(&died[0]), [("maxlen".to_owned(), 1)]);
}

/// What was delivered too often dies.
pub async fn delivery_limit(bench: &Bench) {
    let dead = bench.classic("dead", |_| {}).await;
    let queue = bench
        .quorum("q", |arguments| {
            dead_to(arguments, &dead);
            arguments.delivery_limit = Some(2);
        })
        .await;
    bench.send(&queue, "x").await;
    let mut reader = bench.consume(&queue, 1).await;
    for _ in 0..3 {
        reader.next().await.settler.settle(Verdict::Requeue).expect("the channel is there");
    }
    let got = only(bench, &dead).await;
    assert_eq!(story(&got), [("delivery_limit".to_owned(), 1)]);
    reader.assert_idle().await;
    reader.close().await;
}

/// At least once: the message stays where it is while its target is away.
pub async fn at_least_once(bench: &Bench) {
    use crate::topology::DeadLetterStrategy;
    let dead = bench.classic("dead", |_| {}).await;
    let queue = bench
        .quorum("q", |arguments| {
            dead_to(arguments, &dead);
            arguments.dead_letter_strategy = Some(DeadLetterStrategy::AtLeastOnce);
            arguments.overflow = Some(Overflow::RejectPublish);
        })
        .await;
    bench.send(&queue, "x").await;
    reject_one(bench, &queue).await;
    assert_eq!(text(&*only(bench, &dead).await), "x");
}

/// The way of a delayed retry: over a delay exchange into a queue whose messages expire, and from there, by their routing key,
/// into the queue they are for.
pub async fn delay_queue(bench: &Bench) {
    let delay = bench.exchange("delay.200", ExchangeKind::Fanout).await;
    let waiting = bench
        .quorum("delay.200", |arguments| {
            arguments.message_ttl = Some(Duration::from_millis(200));
            arguments.dead_letter_exchange = Some(ExchangeName::default_exchange());
        })
        .await;
    bench.bind(&delay, &waiting, "").await;
    let target = bench.quorum("target", |_| {}).await;
    let started = seam::now();
    for body in ["a", "b"] {
        assert_eq!(bench.publish(&delay, &target, body).await, Confirmation::Routed);
    }
    bench.wait_for_ready(&target, 2).await;
    assert!(started.elapsed() >= Duration::from_millis(200), "{:?}", started.elapsed());
    let got = bench.drain(&target).await;
    assert_eq!(got.iter().map(|envelope| text(envelope)).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!((got[0].exchange.as_str(), got[0].routing_key.as_str()), ("", target.as_str()));
    assert_eq!(story(&got[0]), [("expired".to_owned(), 1)]);
    assert_eq!(got[0].headers.text("x-first-death-exchange"), Some(delay.as_str()));
}

/// A dead message that is sent again keeps its story.
pub async fn story_survives_republishing(bench: &Bench) {
    let dead = bench.classic("dead", |_| {}).await;
    let queue = bench.classic("q", |arguments| dead_to(arguments, &dead)).await;
    bench.send(&queue, "x").await;
    for count in 1..3 {
        reject_one(bench, &queue).await;
        let died = only(bench, &dead).await;
        assert_eq!(story(&died), [("rejected".to_owned(), count)]);
        let again = Envelope { headers: died.headers.clone(), ..to_queue(&queue, "x") };
        bench.try_publish(again).await.map(drop).expect("it is confirmed");
    }
}
