//! Rows 12 to 14: dead letters, their headers, their cycles, and those that no queue takes.

use std::time::Duration;

use super::harness::{World, classic, dying_to, exchange, having, pass, quorum, settle, to_queue};
use crate::topology::{self, DeadLetterStrategy, ExchangeKind, Overflow};
use crate::transport::{Transport, Verdict};
use crate::{Envelope, ErrorKind, HeaderValue, Headers};

/// A queue that keeps its dead letters until another one has them.
fn at_least_once(queue: &str, dead: &str) -> topology::Queue {
    having(dying_to(quorum(queue), dead), |args| {
        args.dead_letter_strategy = Some(DeadLetterStrategy::AtLeastOnce);
        args.overflow = Some(Overflow::RejectPublish);
    })
}

async fn reject_one(world: &World, queue: &str) {
    settle(world.get(queue).await.unwrap(), Verdict::Reject);
}

fn deaths(envelope: &Envelope) -> Vec<Headers> {
    let Some(HeaderValue::List(deaths)) = envelope.headers.get("x-death") else { return Vec::new() };
    let table = |death: &HeaderValue| match death {
        HeaderValue::Table(table) => table.clone(),
        other => panic!("{other:?}"),
    };
    deaths.iter().map(table).collect()
}

/// Queue, reason and count of each death.
fn story(envelope: &Envelope) -> Vec<(String, String, i64)> {
    let text = |death: &Headers, name| death.text(name).unwrap().to_owned();
    let line = |death: &Headers| (text(death, "queue"), text(death, "reason"), death.int("count").unwrap());
    deaths(envelope).iter().map(line).collect()
}

fn line(queue: &str, reason: &str, count: i64) -> (String, String, i64) {
    (queue.into(), reason.into(), count)
}

#[tokio::test]
async fn row_12_a_dead_letter_tells_its_death() {
    let source = having(classic("src"), |args| args.dead_letter_exchange = Some(exchange("dlx")));
    let world = World::with([source, classic("dead")]).await;
    world.exchange("in", ExchangeKind::Topic).await;
    world.exchange("dlx", ExchangeKind::Topic).await;
    world.bind("in", "wiki.#", to_queue("src")).await;
    world.bind("dlx", "#", to_queue("dead")).await;
    let published = world.publish_as("in", "wiki.page.edit", "body", |envelope| {
        envelope.headers.set("h", 1);
        envelope.properties.expiration = Some(Duration::from_secs(60));
        envelope.properties.message_id = Some("m1".into());
        envelope.properties.persistent = true;
    });
    published.await.map(drop).unwrap();
    reject_one(&world, "src").await;

    let incoming = world.get("dead").await.unwrap();
    assert!(!incoming.redelivered);
    let dead = &incoming.envelope;
    assert_eq!((dead.exchange.as_str(), dead.routing_key.as_str()), ("dlx", "wiki.page.edit"));
    assert_eq!((dead.properties.expiration, dead.properties.persistent), (None, true));
    assert_eq!((dead.properties.message_id.as_deref(), dead.headers.int("h")), (Some("m1"), Some(1)));
    let names: Vec<&str> = dead.headers.iter().map(|(name, _)| name).collect();
    assert_eq!(
        names,
        ["h", "x-death", "x-first-death-exchange", "x-first-death-queue", "x-first-death-reason"]
    );
    for (name, value) in [("exchange", "in"), ("queue", "src"), ("reason", "rejected")] {
        assert_eq!(dead.headers.text(&format!("x-first-death-{name}")), Some(value));
    }
    let death = &deaths(dead)[0];
    assert!(matches!(death.get("time"), Some(HeaderValue::Time(_))));
    let expected: Headers = [
        ("count", HeaderValue::from(1_i64)),
        ("exchange", "in".into()),
        ("original-expiration", "60000".into()),
        ("queue", "src".into()),
        ("reason", "rejected".into()),
        ("routing-keys", vec![HeaderValue::from("wiki.page.edit")].into()),
        ("time", death.get("time").unwrap().clone()),
    ]
    .into_iter()
    .collect();
    assert_eq!((death, deaths(dead).len()), (&expected, 1));
}

#[tokio::test]
async fn row_12_a_repeated_death_counts_up_and_keeps_its_first_story() {
    let world = World::with([dying_to(classic("src"), "dead"), classic("dead")]).await;
    world.send_for("src", "x", 60_000).await;
    reject_one(&world, "src").await;
    let first = world.get("dead").await.unwrap().envelope;
    let again = world.publish_as("", "src", "x", |envelope| envelope.headers = first.headers.clone());
    again.await.map(drop).unwrap();
    reject_one(&world, "src").await;
    let second = world.get("dead").await.unwrap().envelope;
    assert_eq!(story(&second), [line("src", "rejected", 2)]);
    assert_eq!(deaths(&second)[0].text("original-expiration"), Some("60000"));
    assert_eq!(deaths(&second)[0].get("time"), deaths(&first)[0].get("time"));
}

#[tokio::test]
async fn row_12_forged_deaths_are_replaced() {
    let world = World::with([dying_to(classic("src"), "dead"), classic("dead")]).await;
    for (header, first_reason) in [("x-death", None), ("x-first-death-reason", Some("rejected"))] {
        let forged = world.publish_as("", "src", "x", |envelope| envelope.headers.set(header, "mine"));
        forged.await.map(drop).unwrap();
        reject_one(&world, "src").await;
        let dead = world.get("dead").await.unwrap().envelope;
        assert_eq!(story(&dead), [line("src", "rejected", 1)]);
        assert_eq!(dead.headers.text("x-first-death-reason"), first_reason, "{header}");
    }
}

#[tokio::test]
async fn row_12_the_dead_letter_routing_key_replaces_the_key() {
    for (key, expected) in [(Some("dead.letters"), "dead.letters"), (None, "wiki.x")] {
        let source = having(classic("src"), |args| {
            args.dead_letter_exchange = Some(exchange("dlx"));
            args.dead_letter_routing_key = key.map(Into::into);
        });
        let world = World::with([source, classic("dead")]).await;
        world.exchange("dlx", ExchangeKind::Topic).await;
        world.bind("dlx", "#", to_queue("dead")).await;
        world.bind("amq.topic", "#", to_queue("src")).await;
        world.publish("amq.topic", "wiki.x", "").await.map(drop).unwrap();
        reject_one(&world, "src").await;
        let dead = world.first("dead");
        assert_eq!(dead.routing_key, expected);
        let Some(HeaderValue::List(keys)) = deaths(&dead)[0].get("routing-keys").cloned() else { panic!() };
        assert_eq!(keys, [HeaderValue::from("wiki.x")]);
    }
}

#[tokio::test]
async fn row_12_without_a_place_to_go_a_dead_letter_is_dropped() {
    let missing = having(classic("b"), |args| args.dead_letter_exchange = Some(exchange("nowhere")));
    let world = World::with([classic("a"), missing, dying_to(classic("c"), "nobody")]).await;
    for (count, queue) in ["a", "b", "c"].into_iter().enumerate() {
        world.send(queue, "x").await;
        reject_one(&world, queue).await;
        assert_eq!(world.counts(queue), (0, 0));
        assert_eq!(world.broker.totals().dropped, count as u64 + 1);
    }
}

#[tokio::test]
async fn row_12_a_dead_letter_routing_key_needs_an_exchange() {
    let world = World::with([]).await;
    let queue = having(classic("q"), |args| args.dead_letter_routing_key = Some("key".into()));
    assert_eq!(world.declare(queue).await.unwrap_err().kind(), ErrorKind::QueueOption);
}

#[tokio::test(start_paused = true)]
async fn row_13_each_way_to_die_has_its_reason() {
    let limited = having(dying_to(quorum("q"), "dead"), |args| {
        (args.delivery_limit, args.max_length) = (Some(0), Some(1));
    });
    let world = World::with([limited, classic("dead")]).await;
    world.send("q", "rejected").await;
    reject_one(&world, "q").await;
    world.send_for("q", "expired", 10).await;
    pass(20).await;
    world.send("q", "maxlen").await;
    world.send("q", "delivery_limit").await;
    settle(world.get("q").await.unwrap(), Verdict::Requeue);
    for reason in ["rejected", "expired", "maxlen", "delivery_limit"] {
        let dead = world.get("dead").await.unwrap().envelope;
        assert_eq!(super::harness::text(&dead), reason);
        assert_eq!(story(&dead), [line("q", reason, 1)]);
    }
}

#[tokio::test(start_paused = true)]
async fn row_14_an_automatic_cycle_ends() {
    let looping = having(dying_to(classic("loop"), "loop"), |args| args.message_ttl = Some(Duration::ZERO));
    let there =
        having(dying_to(classic("there"), "back"), |args| args.message_ttl = Some(Duration::from_millis(5)));
    let back =
        having(dying_to(classic("back"), "there"), |args| args.message_ttl = Some(Duration::from_millis(5)));
    let world = World::with([looping, there, back]).await;
    world.send("loop", "x").await;
    world.send("there", "x").await;
    pass(1000).await;
    assert_eq!([world.counts("loop"), world.counts("there"), world.counts("back")], [(0, 0); 3]);
    assert_eq!(world.broker.totals().dropped, 2);
}

#[tokio::test]
async fn row_14_a_rejection_keeps_a_cycle_alive() {
    let world = World::with([dying_to(classic("q"), "q")]).await;
    world.send("q", "x").await;
    for count in 0..4 {
        let incoming = world.get("q").await.unwrap();
        assert_eq!(
            deaths(&incoming.envelope).first().and_then(|death| death.int("count")).unwrap_or(0),
            count
        );
        settle(incoming, Verdict::Reject);
    }
}

#[tokio::test(start_paused = true)]
async fn row_14_a_retry_topology_runs_for_ever() {
    let retry =
        having(dying_to(classic("retry"), "work"), |args| args.message_ttl = Some(Duration::from_secs(1)));
    let world = World::with([dying_to(classic("work"), "retry"), retry]).await;
    let mut worker = world.consume("work", 1).await;
    world.send("work", "x").await;
    for round in 0..5 {
        let incoming = worker.wait().await.unwrap().unwrap();
        let expected = match round {
            0 => vec![],
            round => vec![line("retry", "expired", round), line("work", "rejected", round)],
        };
        assert_eq!((story(&incoming.envelope), incoming.redelivered), (expected, false));
        settle(incoming, Verdict::Reject);
    }
}

#[tokio::test(start_paused = true)]
async fn at_least_once_keeps_a_message_until_its_target_is_there() {
    let delay =
        having(at_least_once("delay", "work"), |args| args.message_ttl = Some(Duration::from_secs(1)));
    let world = World::with([delay]).await;
    world.send_all("delay", 0..3).await;
    pass(1500).await;
    assert_eq!((world.counts("delay"), world.stuck("delay"), world.broker.totals().dropped), ((0, 0), 3, 0));
    assert!(world.broker.is_quiet(), "nothing will happen before the topology changes");
    world.declare(classic("work")).await.unwrap();
    assert_eq!((world.peek("work"), world.stuck("delay")), (vec!["0".into(), "1".into(), "2".into()], 0));
}

#[tokio::test]
async fn at_least_once_keeps_a_message_until_its_target_has_space() {
    let small = having(classic("dead"), |args| {
        (args.max_length, args.overflow) = (Some(1), Some(Overflow::RejectPublish));
    });
    let world = World::with([at_least_once("q", "dead"), small]).await;
    world.send_all("q", 0..4).await;
    for _ in 0..4 {
        reject_one(&world, "q").await;
    }
    assert_eq!((world.peek("dead"), world.stuck("q")), (vec!["0".into()], 3));
    let mut consumer = world.consume("dead", 1).await;
    assert_eq!((world.peek("dead"), world.stuck("q")), (vec!["1".into()], 2));
    assert_eq!(consumer.drain(), ["0", "1", "2", "3"]);
    assert_eq!(world.stuck("q"), 0);
}

#[tokio::test]
async fn at_least_once_survives_the_target_going_and_coming() {
    let full = having(classic("dead"), |args| {
        (args.max_length, args.overflow) = (Some(0), Some(Overflow::RejectPublish))
    });
    let world = World::with([at_least_once("q", "dead"), full]).await;
    world.send("q", "x").await;
    reject_one(&world, "q").await;
    assert_eq!(world.stuck("q"), 1);
    world.delete("dead").await;
    assert_eq!(world.stuck("q"), 1);
    world.declare(classic("dead")).await.unwrap();
    assert_eq!((world.peek("dead"), world.stuck("q")), (vec!["x".into()], 0));
}

#[tokio::test]
async fn stuck_dead_letters_count_as_length_and_go_with_their_queue() {
    let source = having(at_least_once("q", "dead"), |args| args.max_length = Some(2));
    let world = World::with([source]).await;
    for _ in 0..2 {
        world.send("q", "x").await;
        reject_one(&world, "q").await;
    }
    assert_eq!(world.publish("", "q", "x").await, Err(ErrorKind::Nacked));
    assert_eq!(world.broker.purge(&super::harness::name("q")).await.unwrap(), 0);
    assert_eq!(world.stuck("q"), 2);
    world.delete("q").await;
    world.declare(classic("dead")).await.unwrap();
    assert_eq!((world.counts("dead"), world.broker.totals().deleted), ((0, 0), 2));
}

#[tokio::test]
async fn at_least_once_needs_reject_publish() {
    let drops = having(at_least_once("q", "dead"), |args| args.overflow = Some(Overflow::DropHead));
    let world = World::with([drops]).await;
    world.send("q", "x").await;
    reject_one(&world, "q").await;
    assert_eq!((world.stuck("q"), world.broker.totals().dropped), (0, 1));
}
