//! Row 15: what expires when; and when the broker is quiet.

use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;

use super::harness::{World, classic, dying_to, having, pass, quorum, settle};
use crate::EmbeddedBroker;
use crate::transport::{Transport, Verdict};

#[tokio::test(start_paused = true)]
async fn row_15_only_the_head_expires() {
    let world = World::with([dying_to(classic("q"), "dead"), classic("dead")]).await;
    world.send_for("q", "long", 3000).await;
    world.send_for("q", "short", 200).await;
    pass(1000).await;
    assert_eq!((world.counts("q"), world.peek("dead")), ((2, 0), vec![]));
    pass(2001).await;
    assert_eq!(world.peek("dead"), ["long", "short"]);
    let dead = world.first("dead");
    assert_eq!(
        (dead.headers.text("x-first-death-reason"), dead.properties.expiration),
        (Some("expired"), None)
    );
}

#[tokio::test(start_paused = true)]
async fn row_15_an_expired_message_is_counted_but_never_delivered() {
    let world = World::with([dying_to(classic("q"), "dead"), classic("dead")]).await;
    world.send("q", "keep").await;
    world.send_for("q", "short", 100).await;
    world.send("q", "keep2").await;
    pass(500).await;
    assert_eq!(world.counts("q"), (3, 0));
    assert_eq!(world.consume("q", 0).await.drain(), ["keep", "keep2"]);
    assert_eq!(world.peek("dead"), ["short"]);
}

#[tokio::test(start_paused = true)]
async fn row_15_the_shorter_time_counts() {
    for (queue, message, gone_after) in [(5000, Some(200), 200), (200, Some(5000), 200), (200, None, 200)] {
        let ttl = having(classic("q"), |args| args.message_ttl = Some(Duration::from_millis(queue)));
        let world = World::with([ttl]).await;
        let expiration = message.map(Duration::from_millis);
        let sent = world.publish_as("", "q", "x", |envelope| envelope.properties.expiration = expiration);
        sent.await.map(drop).unwrap();
        assert_eq!(world.broker.next_due(), Some(Instant::now() + Duration::from_millis(gone_after)));
        pass(gone_after - 1).await;
        assert_eq!(world.counts("q").0, 1);
        pass(2).await;
        assert_eq!((world.counts("q").0, world.broker.next_due()), (0, None));
    }
}

#[tokio::test(start_paused = true)]
async fn row_15_a_time_of_zero_is_for_consumers_at_hand() {
    for queue in [classic("q"), quorum("q")] {
        let zero = having(dying_to(queue, "dead"), |args| args.message_ttl = Some(Duration::ZERO));
        let world = World::with([zero, classic("dead")]).await;
        world.send("q", "z1").await;
        assert_eq!((world.counts("q"), world.peek("dead")), ((0, 0), vec!["z1".into()]));
        let mut consumer = world.consume("q", 1).await;
        world.send("q", "z2").await;
        world.send("q", "z3").await;
        assert_eq!(consumer.drain(), ["z2"]);
        assert_eq!(world.peek("dead"), ["z1", "z3"]);
    }
}

#[tokio::test(start_paused = true)]
async fn row_15_an_unacknowledged_message_expires_when_it_comes_back() {
    let world = World::with([dying_to(classic("q"), "dead"), classic("dead")]).await;
    world.send_for("q", "x", 100).await;
    let held = world.get("q").await.unwrap();
    assert_eq!(world.broker.next_due(), None);
    pass(500).await;
    assert_eq!((world.counts("q"), world.counts("dead")), ((0, 1), (0, 0)));
    settle(held, Verdict::Requeue);
    assert_eq!((world.counts("q"), world.counts("dead")), ((0, 0), (1, 0)));
}

#[tokio::test(start_paused = true)]
async fn row_15_an_idle_queue_expires() {
    let idle = || having(classic("q"), |args| args.expires = Some(Duration::from_secs(1)));
    let world = World::with([idle()]).await;
    // Each of these uses it.
    pass(700).await;
    assert!(world.get("q").await.is_none());
    pass(700).await;
    world.declare(idle()).await.unwrap();
    pass(700).await;
    assert!(world.broker.inspect(&super::harness::name("q")).await.unwrap().is_some());
    pass(700).await;
    let consumer = world.consume("q", 1).await;
    pass(5000).await;
    assert!(world.exists("q"));
    consumer.close().await;
    pass(999).await;
    assert!(world.exists("q"));
    world.send("q", "publishing does not").await;
    pass(2).await;
    assert!(!world.exists("q"));
}

#[tokio::test(start_paused = true)]
async fn time_passes_for_many_queues_in_the_order_of_the_times() {
    let world = World::with([classic("dead")]).await;
    for millis in [50_u64, 10, 40, 20, 30] {
        let ttl = |args: &mut crate::topology::QueueArguments| {
            args.message_ttl = Some(Duration::from_millis(millis))
        };
        world.declare(having(dying_to(classic(&millis.to_string()), "dead"), ttl)).await.unwrap();
        world.send(&millis.to_string(), &millis.to_string()).await;
    }
    let mut consumer = world.consume("dead", 0).await;
    let started = Instant::now();
    for expected in [10_u64, 20, 30, 40, 50] {
        let incoming = consumer.wait().await.unwrap().unwrap();
        assert_eq!(super::harness::text(&incoming.envelope), expected.to_string());
        // tokio's timer rounds up to whole milliseconds.
        let late = started.elapsed() - Duration::from_millis(expected);
        assert!(late <= Duration::from_millis(1), "{late:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_broker_is_quiet_when_no_consumer_has_or_gets_anything() {
    let delay =
        having(dying_to(classic("delay"), "work"), |args| args.message_ttl = Some(Duration::from_secs(1)));
    let world = World::with([delay, classic("work"), classic("ignored")]).await;
    world.send("ignored", "nobody consumes it").await;
    let mut consumer = world.consume("work", 1).await;
    assert!(world.broker.is_quiet());
    world.send("delay", "later").await;
    assert!(world.broker.is_quiet(), "a delayed message is not due");
    tokio::time::advance(Duration::from_secs(2)).await;
    assert!(world.broker.settled().now_or_never().is_none(), "what is due has moved before anybody looks");
    let incoming = consumer.next();
    assert!(!world.broker.is_quiet(), "it is unacknowledged");
    let (settled, ()) = tokio::join!(
        async {
            world.broker.settled().await;
            world.broker.totals().acked
        },
        async {
            pass(10).await;
            settle(incoming, Verdict::Ack);
        }
    );
    assert_eq!(settled, 1);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_consumer_is_busy_until_it_settled() {
    let world = World::with([classic("q")]).await;
    world.send_all("q", 0..2).await;
    let mut consumer = world.consume("q", 1).await;
    consumer.0.cancel().await;
    assert!(!world.broker.is_quiet());
    consumer.drain();
    assert!(world.broker.is_quiet(), "what is left in the queue has no consumer");
}

#[test]
fn a_broker_works_without_a_runtime_and_then_in_several() {
    let world = World { broker: EmbeddedBroker::new() };
    let ttl =
        having(dying_to(classic("q"), "dead"), |args| args.message_ttl = Some(Duration::from_millis(5)));
    let ready = |future: std::pin::Pin<Box<dyn Future<Output = ()> + '_>>| future.now_or_never().unwrap();
    ready(Box::pin(async {
        world.declare(ttl).await.unwrap();
        world.declare(classic("dead")).await.unwrap();
        world.send("q", "0").await;
    }));
    assert_eq!(world.counts("q"), (1, 0));
    std::thread::sleep(Duration::from_millis(10));
    assert_eq!(world.counts("q"), (0, 0), "who looks at a queue expires what is due");
    for body in ["1", "2", "3"] {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let mut consumer = world.consume("dead", 0).await;
            consumer.drain();
            world.send("q", body).await;
            let incoming = consumer.wait().await.unwrap().unwrap();
            assert_eq!(super::harness::text(&incoming.envelope), body);
            settle(incoming, Verdict::Ack);
        });
    }
}
