//! SIGTERM and SIGINT at every moment: while handlers run, while they hang, at start, and when the broker is away.

use std::time::Duration;

use bus_runtime::topology::{Binding, Destination, Queue, QueueType, Topology};
use bus_runtime::{BindingKey, ExchangeName, header};
use bus_tests::arena::Arena;
use bus_tests::proxy::Weather;

use crate::worker::{ONE_THREAD, Stage, Worker, order};

/// What has begun ends, and so does what it publishes; what has not begun goes back without an attempt counted, and another
/// worker handles it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_s3_what_runs_ends_and_the_rest_goes_back() {
    let Some(stage) = Stage::set().await else { return };
    for signal in ["TERM", "INT"] {
        let worker = stage.worker(&[]).await;
        hears(&stage.arena).await;
        for id in 0..12 {
            order(&stage.arena, id, "tells", 800).await;
        }
        worker.until_said("begun", 4).await;
        worker.signal(signal);
        worker.until("it says what it waits for", |worker| worker.log().contains("\"draining\"")).await;
        let (begun, log) = (worker.said("begun").len(), worker.log());
        let end = worker.ended().await;
        assert_eq!(end.code(), 0, "{}", end.log);
        assert_eq!((begun, &end.closing["handled"]), (4, &4.into()), "{}", end.log);
        assert!(log.contains("\"in_flight\":4,\"oldest\":\"obeys::obey\""), "{log}");
        assert_eq!(
            stage.arena.take("heard").await.len(),
            4,
            "what handlers publish is there when they have ended"
        );
        stage.arena.until_ready("orders", 8).await;
        for returned in stage.arena.take("orders").await {
            assert_eq!(returned.headers.int(header::ATTEMPT), None);
            order(&stage.arena, 100, "ends", 0).await;
        }
        let next = stage.worker(&[]).await;
        next.until_said("ended", 8).await;
        assert!(next.said("begun").iter().all(|begun| begun == "100 1"));
        next.signal("TERM");
        assert_eq!(next.ended().await.code(), 0);
        assert_eq!(stage.arena.ready("orders").await, 0, "everything is acknowledged");
    }
}

/// A queue for what handlers tell.
async fn hears(arena: &Arena) {
    let heard = arena.name("heard");
    let binding = Binding {
        exchange: ExchangeName::new(arena.name("messages").as_str()).unwrap(),
        destination: Destination::Queue(heard.clone()),
        key: BindingKey::parse("order.told").unwrap(),
    };
    let queues = vec![Queue::durable(heard, QueueType::Classic)];
    let topology = Topology { queues, bindings: vec![binding], ..Topology::default() };
    arena.transport().declare(&topology).await.unwrap();
}

/// A handler can wait for the shutdown, and has the grace period to come to an end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s5_a_handler_sees_the_shutdown() {
    let Some(stage) = Stage::set().await else { return };
    let worker = stage.worker(&[]).await;
    order(&stage.arena, 1, "awaits", 0).await;
    worker.until_said("begun", 1).await;
    worker.signal("TERM");
    let end = worker.ended().await;
    assert_eq!(end.code(), 0, "{}", end.log);
    assert_eq!(end.closing["handled"], 1, "{}", end.log);
    assert_eq!(stage.arena.ready("orders").await, 0);
}

/// Grace over: cancelled, returned, no attempt lost, exit 75.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s2_what_takes_too_long_is_returned() {
    let Some(stage) = Stage::set().await else { return };
    let worker = stage.worker(&[("BUS_SHUTDOWN_GRACE", "400ms")]).await;
    order(&stage.arena, 1, "hangs", 0).await;
    order(&stage.arena, 2, "ends", 200).await;
    worker.until_said("begun", 2).await;
    worker.signal("TERM");
    let end = worker.ended().await;
    assert_eq!(end.code(), 75, "{}", end.log);
    assert!(end.after < Duration::from_secs(5), "{:?}", end.after);
    assert_eq!((&end.closing["handled"], &end.closing["interrupted"]), (&1.into(), &1.into()));
    stage.arena.until_ready("orders", 1).await;
    let next = stage.worker(&[("BUS_SHUTDOWN_GRACE", "0")]).await;
    next.until_said("begun", 1).await;
    assert_eq!(next.said("begun"), ["1 1"], "it is still the first attempt");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s5_a_second_signal_returns_everything_now() {
    let Some(stage) = Stage::set().await else { return };
    let worker = stage.worker(&[("BUS_SHUTDOWN_GRACE", "10m")]).await;
    for id in 0..4 {
        order(&stage.arena, id, "hangs", 0).await;
    }
    worker.until_said("begun", 4).await;
    worker.signal("TERM");
    worker.until("it drains", |worker| worker.log().contains("\"draining\"")).await;
    worker.signal("TERM");
    let end = worker.ended().await;
    assert_eq!(end.code(), 75, "{}", end.log);
    assert!(end.after < Duration::from_secs(5), "{:?}", end.after);
    assert_eq!(end.closing["interrupted"], 4, "{}", end.log);
    stage.arena.until_ready("orders", 4).await;
}

/// Handlers that block every thread of the runtime keep it from seeing signals; the program ends all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s5_a_starved_runtime_ends_too() {
    let Some(stage) = Stage::set().await else { return };
    let worker = stage.worker(&[("BUS_SHUTDOWN_GRACE", "10m"), ONE_THREAD]).await;
    for id in 0..4 {
        order(&stage.arena, id, "blocks", 600_000).await;
    }
    worker.until_said("begun", 1).await;
    worker.signal("TERM");
    tokio::time::sleep(Duration::from_millis(300)).await;
    worker.signal("TERM");
    let end = worker.ended().await;
    assert_eq!(end.code(), 75, "{}", end.log);
    stage.arena.until_ready("orders", 4).await;
}

/// While it waits for a broker that refuses, or that takes connections and never says a word.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_a_signal_during_start_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let refusing = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for address in [silent.local_addr().unwrap(), refusing] {
        let worker = Worker::spawn(&[], &[("BROKER_URL", &format!("amqp://{address}"))]);
        // Nothing tells that it has come so far; whenever the signal comes, it must end.
        tokio::time::sleep(Duration::from_millis(700)).await;
        worker.signal("TERM");
        let end = worker.ended().await;
        assert_eq!(end.code(), 0, "{}", end.log);
        assert!(end.after < Duration::from_secs(2), "{:?}", end.after);
    }
}

/// The broker has gone: what runs ends, although it can't be acknowledged, and comes back another time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_a_signal_during_reconnect() {
    let Some(stage) = Stage::set().await else { return };
    let (proxy, url) = stage.proxy();
    let worker = Worker::start(&stage.arena, &url, &[]).await;
    order(&stage.arena, 1, "ends", 1_500).await;
    worker.until_said("begun", 1).await;
    proxy.shut();
    proxy.reset();
    worker.until("it has noticed", |worker| worker.log().contains("lost the connection")).await;
    worker.signal("TERM");
    let end = worker.ended().await;
    assert_eq!(end.code(), 0, "{}", end.log);
    assert!(end.after < Duration::from_secs(5), "{:?}\n{}", end.after, end.log);
    stage.arena.until_ready("orders", 1).await;
}

/// The broker does not answer any more: the grace period and a few seconds, and no more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_a_signal_while_the_broker_is_silent() {
    let Some(stage) = Stage::set().await else { return };
    for second in [false, true] {
        let (proxy, url) = stage.proxy();
        let worker = Worker::start(&stage.arena, &url, &[("BUS_SHUTDOWN_GRACE", "2s")]).await;
        order(&stage.arena, 1, "ends", 300).await;
        worker.until_said("begun", 1).await;
        proxy.weather(Weather::BlackHole);
        worker.signal("TERM");
        if second {
            worker.until_said("ended", 1).await;
            worker.signal("INT");
        }
        let end = worker.ended().await;
        assert_eq!(end.code(), 0, "nothing was interrupted: {}", end.log);
        assert!(end.after < Duration::from_secs(9), "{:?}\n{}", end.after, end.log);
        drop(proxy);
        stage.arena.until_ready("orders", 1).await;
        assert_eq!(stage.arena.take("orders").await.len(), 1);
    }
}

/// A retry that can't be published keeps the original unacknowledged, and the program from ending for its grace period only.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s2_a_retry_that_cannot_be_published() {
    let Some(stage) = Stage::set().await else { return };
    let (proxy, url) = stage.proxy();
    let worker = Worker::start(&stage.arena, &url, &[("BUS_SHUTDOWN_GRACE", "1s")]).await;
    order(&stage.arena, 1, "fails", 500).await;
    worker.until_said("begun", 1).await;
    proxy.shut();
    proxy.cut();
    worker.until("it has failed", |worker| worker.log().contains("as ordered")).await;
    worker.signal("TERM");
    let end = worker.ended().await;
    assert_eq!(end.code(), 75, "{}", end.log);
    assert!(end.after < Duration::from_secs(6), "{:?}\n{}", end.after, end.log);
    stage.arena.until_ready("orders", 1).await;
}

/// `--once` stops between two messages, and says nothing is lost: what it did not take stays where it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s1_once_can_be_stopped() {
    let Some(stage) = Stage::set().await else { return };
    let environment = [("BROKER_URL", stage.url.as_str()), ("PREFIX", &stage.arena.name(""))];
    let set_up = Worker::spawn(&["run", "--once"], &environment);
    assert_eq!(set_up.ended().await.code(), 0);
    for id in 0..12 {
        order(&stage.arena, id, "ends", 500).await;
    }
    let worker = Worker::spawn(&["run", "--once"], &environment);
    worker.until_said("begun", 4).await;
    worker.signal("TERM");
    let end = worker.ended().await;
    assert_eq!(end.code(), 0, "{}", end.log);
    let handled = end.closing["handled"].as_u64().unwrap();
    assert!((4..12).contains(&handled), "{handled}");
    stage.arena.until_ready("orders", 12 - handled).await;
}

/// On the embedded broker nobody else will do it: what is queued is handled first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s4_the_embedded_broker_is_emptied() {
    let mut worker = Worker::embedded(&[]).await;
    for id in 0..20 {
        worker.order(&format!(r#"{{"id":{id},"does":"ends","ms":100}}"#));
    }
    worker.order(r#"{"id":20,"does":"awaits"}"#);
    worker.until_said("published", 21).await;
    assert!(worker.said("ended").len() < 16, "it has something left to do");
    worker.signal("TERM");
    let end = worker.ended().await;
    assert_eq!(end.code(), 0, "{}", end.log);
    assert_eq!((&end.closing["handled"], &end.closing["lost"]), (&21.into(), &0.into()), "{}", end.log);
}

/// What is left is counted: what runs, what is queued, and what waits for its next attempt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s4_what_the_embedded_broker_loses_is_counted() {
    let mut worker = Worker::embedded(&[("BUS_SHUTDOWN_GRACE", "200ms")]).await;
    worker.order(r#"{"id":1,"does":"later","ms":3600000}"#);
    for id in 2..9 {
        worker.order(&format!(r#"{{"id":{id},"does":"hangs"}}"#));
    }
    worker.until_said("published", 8).await;
    worker.until_said("begun", 5).await;
    worker.signal("TERM");
    let end = worker.ended().await;
    assert_eq!(end.code(), 75, "{}", end.log);
    let counted = ["interrupted", "lost", "delayed"].map(|count| end.closing[count].as_u64().unwrap());
    assert_eq!(counted, [4, 7, 1], "{}", end.log);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s5_a_second_signal_ends_the_embedded_broker() {
    let mut worker = Worker::embedded(&[("BUS_SHUTDOWN_GRACE", "10m")]).await;
    for id in 0..6 {
        worker.order(&format!(r#"{{"id":{id},"does":"hangs"}}"#));
    }
    worker.until_said("begun", 4).await;
    worker.signal("INT");
    worker.until("it drains", |worker| worker.log().contains("\"draining\"")).await;
    worker.signal("INT");
    let end = worker.ended().await;
    assert_eq!(end.code(), 75, "{}", end.log);
    assert_eq!(end.closing["interrupted"], 4, "{}", end.log);
}
