//! Workers that are killed, cut off and starved at the worst moment: each test closes with the books of every message.

use std::time::{Duration, Instant};

use bus_runtime::header;
use bus_tests::arena::Arena;
use bus_tests::balance::Ledger;
use bus_tests::node::RabbitNode;
use bus_tests::proxy::Side;
use bus_tests::proxy::Weather;

use crate::worker::{End, ONE_THREAD, Stage, Worker, order};

/// How a client begins to acknowledge a message: class and method of `basic.ack`.
const ACK: [u8; 4] = [0, 60, 0, 80];

async fn publish(arena: &Arena, ledger: &Ledger, id: u64, does: &str, ms: u64) {
    ledger.attempted(id);
    order(arena, id, does, ms).await;
    ledger.confirmed(id);
}

fn note(ledger: &Ledger, end: &End) {
    end.handled.iter().for_each(|id| ledger.handled(*id));
}

/// Writes down what is left in the queue and with the dead letters.
async fn note_rest(arena: &Arena, ledger: &Ledger) {
    let id = |body: &[u8]| serde_json::from_slice::<serde_json::Value>(body).unwrap()["id"].as_u64().unwrap();
    for message in arena.take("orders").await {
        ledger.queued(id(&message.body));
    }
    for message in arena.take("orders.dead").await {
        ledger.dead(id(&message.body));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k1_killed_between_handler_and_ack() {
    let Some(stage) = Stage::set().await else { return };
    let ledger = Ledger::default();
    let (proxy, url) = stage.proxy();
    let worker = Worker::start(&stage.arena, &url, &[]).await;
    publish(&stage.arena, &ledger, 1, "ends", 500).await;
    worker.until_said("begun", 1).await;
    proxy.weather(Weather::BlackHole);
    worker.until_said("ended", 1).await;
    worker.signal("KILL");
    note(&ledger, &worker.ended().await);
    drop(proxy);
    let next = stage.worker(&[]).await;
    next.until_said("ended", 1).await;
    assert_eq!(next.said("begun"), ["1 1"], "a lost acknowledgement is no attempt");
    next.signal("TERM");
    note(&ledger, &next.ended().await);
    note_rest(&stage.arena, &ledger).await;
    let balance = ledger.balance("killed between handler and ack").check();
    assert_eq!((balance.handled, balance.duplicates), (1, 1));
}

/// The copy for the next attempt is confirmed, and the original is not acknowledged yet: both are there, and none is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k1_killed_between_retry_and_ack() {
    let Some(stage) = Stage::set().await else { return };
    let ledger = Ledger::default();
    let (proxy, url) = stage.proxy();
    let worker = Worker::start(&stage.arena, &url, &[]).await;
    proxy.cut_at(Side::Client, &ACK);
    publish(&stage.arena, &ledger, 1, "fails", 0).await;
    worker.until("the acknowledgement is cut off", |_| proxy.sprung() == 1).await;
    worker.signal("KILL");
    note(&ledger, &worker.ended().await);
    let next = stage.worker(&[]).await;
    stage.arena.until_ready("orders.dead", 2).await;
    let mut begun = next.said("begun");
    begun.sort();
    assert_eq!(begun, ["1 1", "1 2", "1 2", "1 3", "1 3"], "both go on where they were");
    next.signal("TERM");
    note(&ledger, &next.ended().await);
    note_rest(&stage.arena, &ledger).await;
    let balance = ledger.balance("killed between retry and ack").check();
    assert_eq!((balance.dead, balance.duplicates), (1, 1));
}

/// Stopped, stopped twice and killed, one after the other, while messages keep coming.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k1_s1_stopped_and_killed_under_load() {
    const MESSAGES: u64 = 900;
    let Some(stage) = Stage::set().await else { return };
    let ledger = Ledger::default();
    let first = stage.worker(&[]).await;
    let publishing = {
        let (arena, ledger) = (stage.arena.clone(), ledger.clone());
        tokio::spawn(async move {
            for id in 0..MESSAGES {
                publish(&arena, &ledger, id, "ends", id % 10).await;
                tokio::time::sleep(Duration::from_millis(4)).await;
            }
        })
    };
    let mut next = Some(first);
    for signals in [&["KILL"][..], &["TERM"], &["TERM", "TERM"], &["KILL"], &["INT"], &["INT", "TERM"]] {
        let worker = match next.take() {
            Some(first) => first,
            None => stage.worker(&[]).await,
        };
        worker.until_said("ended", 40).await;
        for signal in signals {
            worker.signal(signal);
        }
        let end = worker.ended().await;
        let clean = [Some(0), Some(75), None];
        assert!(clean.contains(&end.status.code()), "{signals:?}: {}\n{}", end.status, end.log);
        note(&ledger, &end);
    }
    let last = stage.worker(&[]).await;
    publishing.await.unwrap();
    stage.arena.until_ready("orders", 0).await;
    last.signal("TERM");
    note(&ledger, &last.ended().await);
    note_rest(&stage.arena, &ledger).await;
    let balance = ledger.balance("six times stopped or killed under load").check();
    assert_eq!((balance.confirmed, balance.dead), (900, 0));
}

/// Exactly max + 1 calls, with pauses that grow and cost nothing, and then one dead letter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r1_poison_is_called_with_growing_pauses_and_costs_nothing() {
    let Some(stage) = Stage::set().await else { return };
    let ledger = Ledger::default();
    let worker = stage.worker(&[]).await;
    publish(&stage.arena, &ledger, 1, "fails", 0).await;
    worker.until_said("begun", 1).await;
    let (cpu, since) = (worker.cpu(), Instant::now());
    stage.arena.until_ready("orders.dead", 1).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (cpu, elapsed) = (worker.cpu() - cpu, since.elapsed());
    assert!(cpu * 5 < elapsed, "{cpu:?} of the processor in {elapsed:?}");
    assert_eq!(worker.said("begun"), ["1 1", "1 2", "1 3"]);
    let at = worker.begun_at();
    let pauses = [at[1] - at[0], at[2] - at[1]];
    assert!(pauses[0] >= Duration::from_millis(400) && pauses[1] >= Duration::from_millis(800), "{pauses:?}");
    worker.signal("TERM");
    assert_eq!(worker.ended().await.code(), 0);
    note_rest(&stage.arena, &ledger).await;
    assert_eq!(ledger.balance("poison").check().dead, 1);
}

/// The attempt is a property of the message: it survives a killed worker, a restarted broker and an interrupted handler. And a
/// channel that the broker closes under a handler is no error of the worker.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r3_k7_the_attempt_survives_worker_channel_and_broker() {
    let Some(mut node) = RabbitNode::try_start().await else { return };
    let url = bus_runtime::BrokerUrl::parse(&node.url()).unwrap();
    let arena = Arena::on(url, "r3.".to_owned()).await;
    let ledger = Ledger::default();
    let worker = Worker::start(&arena, &node.url(), &[]).await;
    publish(&arena, &ledger, 1, "fails", 1_500).await;
    worker.until_said("begun", 1).await;
    worker.signal("KILL");
    note(&ledger, &worker.ended().await);

    let worker = Worker::start(&arena, &node.url(), &[("BUS_SHUTDOWN_GRACE", "0")]).await;
    worker.until("the retry is on its way", |worker| worker.log().contains("will be tried again")).await;
    node.restart().await;
    worker.until_said("begun", 2).await;
    assert_eq!(worker.said("begun"), ["1 1", "1 2"]);
    worker.signal("TERM");
    let end = worker.ended().await;
    assert_eq!(end.code(), 75, "{}", end.log);
    note(&ledger, &end);

    let worker = Worker::start(&arena, &node.url(), &[]).await;
    arena.until_ready("orders.dead", 1).await;
    assert_eq!(worker.said("begun"), ["1 2", "1 3"]);
    closes_a_channel(&node, &arena, &ledger, &worker).await;
    worker.signal("TERM");
    note(&ledger, &worker.ended().await);
    let dead = arena.take("orders.dead").await;
    assert_eq!(dead[0].headers.int(header::ATTEMPT), Some(3));
    ledger.dead(1);
    note_rest(&arena, &ledger).await;
    let balance = ledger.balance("killed, restarted, interrupted").check();
    assert_eq!((balance.dead, balance.handled), (1, 1));
}

/// The broker takes the channel away from a handler that keeps its message for too long.
async fn closes_a_channel(node: &RabbitNode, arena: &Arena, ledger: &Ledger, worker: &Worker) {
    let limit = async |setting: &str| {
        node.ctl(&["eval", &format!("application:set_env(rabbit, {setting}).")]).await;
    };
    limit("channel_tick_interval, 500").await;
    limit("consumer_timeout, 1000").await;
    // Both are read when a channel is opened.
    node.ctl(&["close_all_connections", "for a test"]).await;
    worker.until("it is back", |worker| worker.log().contains("consuming again")).await;
    let before = worker.said("begun").len();
    publish(arena, ledger, 2, "ends", 4_000).await;
    worker.until("the channel is closed", |worker| worker.log().contains("BUS0108")).await;
    limit("consumer_timeout, 1800000").await;
    worker.until_said("ended", 2).await;
    let begun = worker.said("begun");
    assert!(begun[before..].iter().all(|begun| begun == "2 1"), "{begun:?}");
    arena.until_ready("orders", 0).await;
}

/// The connection dies while the handler runs: it ends, cannot be acknowledged, and is called again with the same attempt.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k7_a_connection_that_dies_before_the_settlement() {
    let Some(stage) = Stage::set().await else { return };
    let ledger = Ledger::default();
    let (proxy, url) = stage.proxy();
    let worker = Worker::start(&stage.arena, &url, &[]).await;
    publish(&stage.arena, &ledger, 1, "ends", 700).await;
    worker.until_said("begun", 1).await;
    proxy.cut();
    worker.until_said("ended", 2).await;
    assert_eq!(worker.said("begun"), ["1 1", "1 1"]);
    stage.arena.until_ready("orders", 0).await;
    assert!(!worker.log().contains("\"ERROR\""), "{}", worker.log());
    worker.signal("TERM");
    note(&ledger, &worker.ended().await);
    note_rest(&stage.arena, &ledger).await;
    assert_eq!(ledger.balance("cut before the settlement").check().duplicates, 1);
}

/// Handlers that block every thread of the runtime do not silence the heartbeats: the broker does not give the worker up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q3_heartbeats_continue_while_handlers_block() {
    let Some(stage) = Stage::set().await else { return };
    let ledger = Ledger::default();
    let worker = Worker::start(&stage.arena, &format!("{}?heartbeat=1", stage.url), &[ONE_THREAD]).await;
    for id in 0..2 {
        publish(&stage.arena, &ledger, id, "blocks", 7_000).await;
    }
    worker.until_said("ended", 2).await;
    assert_eq!(worker.said("begun").len(), 2, "none of them was taken away");
    assert!(!worker.log().contains("lost"), "{}", worker.log());
    stage.arena.until_ready("orders", 0).await;
    worker.signal("TERM");
    note(&ledger, &worker.ended().await);
    note_rest(&stage.arena, &ledger).await;
    assert_eq!(ledger.balance("every thread blocked for 7 s, heartbeats of 1 s").check().duplicates, 0);
}
