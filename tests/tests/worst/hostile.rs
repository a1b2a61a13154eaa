//! Messages of ill will, and settings that cannot work.

use std::sync::Arc;

use bus_runtime::prelude::*;
use bus_runtime::{BODY_MAX, Envelope, ErrorKind, ExchangeName, header};
use bus_tests::arena::{Arena, Calls};

use crate::inside::arenas;
use crate::worker::{Stage, Worker};

mod limits {
    use super::*;

    #[react("limit.#")]
    async fn typed(data: Json, calls: State<Calls>) {
        calls.add(data);
    }

    pub(super) const MODULE: &str = module_path!();
}

/// How large and of what shape a body is, and why it is dead.
async fn dead_reason(arena: &Arena, body: Vec<u8>) -> Option<String> {
    let exchange = ExchangeName::new(arena.name("react").as_str()).unwrap();
    let key = RoutingKey::new("limit.x").unwrap();
    let message = Envelope::new(exchange, key, body);
    let _ = arena.transport().publish(Arc::new(message)).await.unwrap();
    let queue = format!("{}.typed.react.dead", limits::MODULE.replace("::", "."));
    arena.until_ready(&queue, 1).await;
    arena.take(&queue).await[0].headers.text(header::REASON).map(str::to_owned)
}

/// Bodies that are too large, too deep or full of NUL bytes never reach the handler, and harm nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_beyond_the_limits_are_dead_letters() {
    for arena in arenas().await {
        let calls = Calls::default();
        let bus = arena.app(limits::MODULE).state(calls.clone()).start().await.unwrap();
        // A shared broker would run out of memory and block everybody's publishers.
        let too_large = if arena.name("").is_empty() { 100_000_000 } else { BODY_MAX + 1 };
        let table = [
            (vec![b' '; too_large], "too_large"),
            (vec![b'['; 100_000], "decode"),
            (vec![0; 1_000], "decode"),
            (b"\"\xff\"".to_vec(), "decode"),
        ];
        for (body, reason) in table {
            let what = format!("{} bytes of {:?}", body.len(), body.first());
            assert_eq!(dead_reason(&arena, body).await.as_deref(), Some(reason), "{what}");
        }
        bus.react("limit.x", &"fine").await.unwrap();
        calls.until(1).await;
        assert_eq!(calls.all(), ["\"fine\""]);
        bus.shutdown().await;
    }
}

/// Eight thousand headers are more than a copy could carry on: the broker moves the message as it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_header_bomb_is_a_dead_letter() {
    for arena in arenas().await {
        let calls = Calls::default();
        let bus = arena.app(limits::MODULE).state(calls.clone()).start().await.unwrap();
        let bomb =
            (0..8_000).fold(bus.react("limit.x", &1), |publish, n| publish.header(format!("h{n}"), "x"));
        bomb.await.unwrap();
        let queue = format!("{}.typed.react.dead", limits::MODULE.replace("::", "."));
        arena.until_ready(&queue, 1).await;
        assert_eq!(calls.count(), 0);
        bus.shutdown().await;
    }
}

/// Ten thousand events that nobody wants, of as many topics: each is counted, and none is an error.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unroutable_events_are_counted() {
    for arena in arenas().await {
        let bus = arena.app(limits::MODULE).state(Calls::default()).start().await.unwrap();
        for hundred in 0..100 {
            let publishes = (0..100).map(|n| bus.react(format!("nobody.{hundred}.{n}"), &()));
            let sent = futures_util::future::join_all(publishes.map(IntoFuture::into_future)).await;
            assert!(sent.iter().all(Result::is_ok));
        }
        assert_eq!(bus.stats().unroutable, 10_000);
        bus.shutdown().await;
    }
}

/// What a message says cannot forge a line of the log, whatever the format.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_cannot_forge_the_log() {
    const EVIL: &str = "id\nERROR forged\r\u{1b}[2J\u{202e}";
    let Some(stage) = Stage::set().await else { return };
    for format in ["json", "compact"] {
        let worker = Worker::spawn(
            &[],
            &[
                ("BROKER_URL", &stage.url),
                ("PREFIX", &stage.arena.name("")),
                ("BUS_LOG_FORMAT", format),
                ("RUST_LOG", "trace,lapin=off"),
            ],
        );
        worker.until("it consumes", |worker| worker.log().contains("ready")).await;
        let exchange = ExchangeName::new(stage.arena.name("messages").as_str()).unwrap();
        let key = RoutingKey::new("order.obey").unwrap();
        let body = serde_json::json!({ "id": 1, "does": "fails" }).to_string();
        let mut message = Envelope::new(exchange, key, body);
        message.properties.message_id = Some(EVIL.to_owned().into());
        message.headers.set(EVIL, EVIL);
        let _ = stage.arena.transport().publish(Arc::new(message)).await.unwrap();
        stage.arena.until_ready("orders.dead", 1).await;
        stage.arena.take("orders.dead").await;
        let log = worker.log();
        assert!(log.contains("as ordered") && log.contains("202e"), "the message is in the log: {log}");
        assert!(!log.lines().any(|line| line.starts_with("ERROR forged")), "{log}");
        assert!(!log.contains(['\u{1b}', '\u{202e}', '\r']), "{log}");
        if format == "json" {
            assert!(log.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{log}");
        }
        worker.signal("TERM");
        worker.ended().await;
    }
}

mod patient {
    use super::*;

    #[react("patient.#", timeout = "1h")]
    async fn hour() {}

    pub(super) const MODULE: &str = module_path!();
}

/// A handler that may take longer than RabbitMQ waits for an acknowledgement is refused, unless the broker is said to wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_timeout_above_the_brokers_patience_is_refused() {
    for arena in arenas().await {
        let started = arena.app(patient::MODULE).start().await;
        let is_embedded = arena.name("").is_empty();
        match started {
            Ok(bus) if is_embedded => drop(bus.shutdown().await),
            Ok(_) => panic!("an hour is too long"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Config, "{error}");
                assert!(error.to_string().contains("patient::hour may take 3600s"), "{error}");
                assert!(error.help().unwrap().contains("BUS_ACK_TIMEOUT"));
                let mut config = arena.config();
                config.ack_timeout = None;
                let bus = arena.app(patient::MODULE).config(config).start().await.unwrap();
                bus.shutdown().await;
            }
        }
    }
}

/// A plain function with `concurrency = 2`, `prefetch = 4` and a timeout of 500 ms: the last message waits for a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prefetch_above_the_brokers_patience_is_a_warning() {
    let Some(stage) = Stage::set().await else { return };
    let worker = stage.worker(&[("BUS_ACK_TIMEOUT", "700ms")]).await;
    let log = worker.log();
    assert!(
        log.contains("obeys::block may keep a message for 1s (timeout 500ms, prefetch 4, concurrency 2)"),
        "{log}"
    );
    assert!(log.contains("obeys::obey has no timeout"), "{log}");
    worker.signal("TERM");
    assert_eq!(worker.ended().await.code(), 0);
    let environment =
        [("BROKER_URL", stage.url.as_str()), ("PREFIX", &stage.arena.name("")), ("BUS_ACK_TIMEOUT", "400ms")];
    let end = Worker::spawn(&[], &environment).ended().await;
    assert_eq!(end.code(), 78, "{}", end.log);
    assert!(end.log.contains("obeys::block may take 500ms"), "{}", end.log);
}
