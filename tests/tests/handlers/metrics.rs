//! What an app counts, as Prometheus sees it.

use std::net::SocketAddr;
use std::time::Duration;

use bus_runtime::{AdminPort, App, Bus, ErrorKind, prelude::*};
use bus_tests::arena::{Arena, Calls};
use bus_tests::exposition::Scrape;
use bus_tests::http::{ask, get};
use serde::{Deserialize, Serialize};

/// Starts with an admin port of its own.
pub(crate) async fn start(app: App) -> (Bus, SocketAddr) {
    let bus = app.http(AdminPort::parse("127.0.0.1:0").unwrap()).start().await.unwrap();
    let at = bus.admin_address().unwrap();
    (bus, at)
}

pub(crate) async fn scrape(at: SocketAddr) -> Scrape {
    let (status, head, body) = ask(at, "/metrics", &[]).await;
    assert_eq!(status, 200, "{body}");
    assert!(head.contains("text/plain; version=0.0.4; charset=utf-8"), "{head}");
    Scrape::prometheus(&body)
}

/// Scrapes until a value is what it must become.
pub(crate) async fn until(at: SocketAddr, name: &str, labels: &[(&str, &str)], wanted: f64) -> Scrape {
    let mut found = None;
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            let scraped = scrape(at).await;
            found = scraped.value(name, labels);
            if found == Some(wanted) {
                return scraped;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("{name} {labels:?} is {found:?}, not {wanted}"))
}

/// Name and labels of a series, and its value.
pub(crate) type Wanted<'w> = (&'w str, &'w [(&'w str, &'w str)], f64);

/// The series, and what they must be.
pub(crate) fn check(scrape: &Scrape, wanted: &[Wanted<'_>]) {
    for (name, labels, value) in wanted {
        assert_eq!(scrape.value(name, labels), Some(*value), "{name} {labels:?}");
    }
}

#[derive(Serialize, Deserialize, Message)]
#[event("metrics.saved")]
struct Saved {
    page: String,
}

#[derive(Serialize, Deserialize, Message)]
#[task("metrics.send")]
struct Send {
    to: String,
}

#[derive(Serialize, Deserialize, Message)]
#[command("metrics.add", reply = u32)]
struct Add {
    one: u32,
    other: u32,
}

pub(crate) mod o5_every_metric_is_there_before_the_first_message {
    use super::*;

    #[message_handler(Saved)]
    async fn on_saved() {}

    #[message_handler(Send)]
    async fn on_send() {}

    #[message_handler(Add)]
    async fn on_add(add: Add) -> Result<u32, BoxError> {
        Ok(add.one + add.other)
    }

    #[audit("metrics.first.#")]
    async fn on_audit() {}

    const ZERO: &[(&str, &[(&str, &str)])] = &[
        ("events_published_total", &[("type", "metrics.saved")]),
        ("events_published_total", &[("type", "react")]),
        ("events_published_total", &[("type", "audit")]),
        ("events_processed_total", &[("handler", "on_saved"), ("type", "metrics.saved")]),
        ("events_failed_total", &[("handler", "on_saved"), ("type", "metrics.saved"), ("reason", "error")]),
        ("events_failed_total", &[("handler", "on_saved"), ("reason", "timeout")]),
        ("events_failed_total", &[("handler", "on_saved"), ("reason", "panic")]),
        ("events_failed_total", &[("handler", "on_saved"), ("reason", "decode")]),
        ("commands_sent_total", &[("type", "metrics.send")]),
        ("commands_sent_total", &[("type", "metrics.add")]),
        ("commands_processed_total", &[("handler", "on_send"), ("type", "metrics.send")]),
        ("commands_failed_total", &[("handler", "on_add"), ("type", "metrics.add"), ("reason", "panic")]),
        ("event_processing_duration_seconds_count", &[("handler", "on_saved")]),
        ("event_processing_duration_seconds_bucket", &[("handler", "on_saved"), ("le", "0.01")]),
        ("event_processing_duration_seconds_bucket", &[("handler", "on_saved"), ("le", "0.05")]),
        ("command_processing_duration_seconds_count", &[("handler", "on_add")]),
        ("queue_size", &[("queue", "local")]),
        ("backpressure_active", &[]),
        ("circuit_breaker_state", &[("handler", "on_saved")]),
        ("dead_letter_queue_size", &[]),
        ("active_sessions", &[]),
        ("bus_message_critical_time_seconds_count", &[("handler", "on_saved")]),
        ("bus_message_queue_time_seconds_count", &[("handler", "on_saved")]),
        ("bus_handler_in_flight", &[("handler", "on_saved")]),
        ("bus_handler_blocking", &[("handler", "on_saved")]),
        ("bus_messages_held_back", &[("handler", "on_saved")]),
        ("bus_handler_timeouts_total", &[("handler", "on_saved")]),
        ("bus_handler_panics_total", &[("handler", "on_saved")]),
        ("bus_retries_total", &[("handler", "on_saved"), ("delay", "immediate")]),
        ("bus_retries_total", &[("handler", "on_saved"), ("delay", "delayed")]),
        ("bus_dead_lettered_total", &[("handler", "on_saved"), ("reason", "failed")]),
        ("bus_redelivered_total", &[]),
        ("bus_decode_failures_total", &[("handler", "on_saved")]),
        ("bus_unroutable_total", &[]),
        ("bus_publish_nacked_total", &[]),
        ("bus_broker_reconnects_total", &[]),
        ("bus_broker_blocked", &[]),
        ("bus_last_processed_timestamp_seconds", &[("handler", "on_saved")]),
        ("bus_draining", &[]),
        ("bus_shutdown_requeued_total", &[]),
        ("messaging_client_sent_messages_total", &[("messaging_operation_name", "publish")]),
        ("messaging_client_operation_duration_seconds_count", &[("messaging_operation_type", "send")]),
        ("messaging_client_consumed_messages_total", &[("messaging_operation_name", "consume")]),
        ("messaging_process_duration_seconds_count", &[("messaging_operation_type", "process")]),
    ];

    pub(crate) async fn run(arena: Arena) {
        let (bus, at) = start(arena.app(module_path!()).version("1.2.3")).await;
        let first = scrape(at).await;
        for (name, labels) in ZERO {
            assert_eq!(first.value(name, labels), Some(0.0), "{name} {labels:?}");
        }
        check(
            &first,
            &[
                ("registered_handlers", &[("kind", "audit")], 1.0),
                ("registered_handlers", &[("kind", "react")], 0.0),
                ("registered_handlers", &[("kind", "event")], 1.0),
                ("registered_handlers", &[("kind", "task")], 1.0),
                ("registered_handlers", &[("kind", "command")], 1.0),
                ("bus_handler_concurrency_limit", &[("handler", "on_saved")], 16.0),
                ("bus_broker_connected", &[], 1.0),
                ("bus_build_info", &[("version", "1.2.3")], 1.0),
            ],
        );
        for queue in &bus.plan().queues {
            let attached = first.value("bus_consumer_attached", &[("queue", queue.name.as_str())]);
            assert_eq!(attached, Some(1.0), "{}", queue.name);
            assert_eq!(first.value("queue_size", &[("queue", queue.name.as_str())]), Some(0.0));
            let dead = first.value("dead_letter_queue_size", &[("queue", queue.dead.as_str())]);
            assert_eq!(dead, Some(0.0), "{}", queue.dead);
        }
        #[cfg(target_os = "linux")]
        for name in [
            "cpu_seconds_total",
            "resident_memory_bytes",
            "virtual_memory_bytes",
            "open_fds",
            "max_fds",
            "start_time_seconds",
            "threads",
        ] {
            assert!(first.value(&format!("process_{name}"), &[]).is_some_and(|value| value > 0.0), "{name}");
        }
        let open = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5";
        let (_, head, body) = ask(at, "/metrics", &[("Accept", open)]).await;
        assert!(head.contains("application/openmetrics-text; version=1.0.0; charset=utf-8"), "{head}");
        let scraped = Scrape::open_metrics(&body);
        assert_eq!(scraped.kinds["events_processed"], "counter");
        assert_eq!(scraped.kinds["bus_build"], "info");
        assert_eq!(scraped.value("events_processed_total", &[("handler", "on_saved")]), Some(0.0));
        bus.shutdown().await;
    }
}

pub(crate) mod o5_publishes_and_calls_are_counted {
    use super::*;

    #[message_handler(Saved)]
    async fn on_saved(_saved: Saved) {}

    #[message_handler(Send)]
    async fn on_send(_send: Send, bus: Publisher) -> Result<(), BoxError> {
        bus.publish(&Saved { page: "sent".to_owned() }).await?;
        Ok(())
    }

    #[message_handler(Add)]
    async fn on_add(add: Add) -> Result<u32, BoxError> {
        Ok(add.one + add.other)
    }

    #[react("metrics.counted.#")]
    async fn on_react() {}

    pub(crate) async fn run(arena: Arena) {
        let (bus, at) = start(arena.app(module_path!())).await;
        bus.publish(&Saved { page: "home".to_owned() }).await.unwrap();
        bus.publish(&Send { to: "ann".to_owned() }).await.unwrap();
        assert_eq!(bus.execute(Add { one: 1, other: 2 }).await.unwrap(), 3);
        bus.react("metrics.counted.one-of-many", &()).await.unwrap();
        bus.react("metrics.nobody", &()).await.unwrap();
        let error = bus.audit("metrics.nobody", &()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unroutable);
        bus.settled().await.unwrap();
        let scraped = until(at, "events_processed_total", &[("handler", "on_saved")], 2.0).await;
        let messages = bus.plan().handlers[0].exchange.to_string();
        check(
            &scraped,
            &[
                ("events_published_total", &[("type", "metrics.saved")], 2.0),
                ("events_published_total", &[("type", "react")], 2.0),
                ("events_published_total", &[("type", "audit")], 1.0),
                ("commands_sent_total", &[("type", "metrics.send")], 1.0),
                ("commands_sent_total", &[("type", "metrics.add")], 1.0),
                ("events_processed_total", &[("handler", "on_react"), ("type", "react")], 1.0),
                ("commands_processed_total", &[("handler", "on_send"), ("type", "metrics.send")], 1.0),
                ("commands_processed_total", &[("handler", "on_add"), ("type", "metrics.add")], 1.0),
                ("event_processing_duration_seconds_count", &[("handler", "on_saved")], 2.0),
                ("command_processing_duration_seconds_count", &[("handler", "on_add")], 1.0),
                ("bus_message_critical_time_seconds_count", &[("handler", "on_saved")], 2.0),
                ("bus_message_queue_time_seconds_count", &[("handler", "on_saved")], 2.0),
                ("bus_handler_in_flight", &[("handler", "on_saved")], 0.0),
                ("bus_unroutable_total", &[], 2.0),
                ("messaging_client_consumed_messages_total", &[], 5.0),
                ("messaging_process_duration_seconds_count", &[], 5.0),
                ("messaging_client_sent_messages_total", &[("error_type", "unroutable")], 1.0),
                ("messaging_client_sent_messages_total", &[], 6.0),
                ("messaging_client_operation_duration_seconds_count", &[], 6.0),
            ],
        );
        let template = format!("{messages}:metrics.saved");
        let sent = [("messaging_destination_template", template.as_str())];
        assert_eq!(scraped.value("messaging_client_sent_messages_total", &sent), Some(2.0), "{template}");
        let last = scraped.value("bus_last_processed_timestamp_seconds", &[("handler", "on_saved")]).unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64();
        assert!((now - last).abs() < 60.0, "{last} is not {now}");
        let critical = scraped.value("bus_message_critical_time_seconds_sum", &[("handler", "on_saved")]);
        assert!(critical.is_some_and(|seconds| seconds > 0.0 && seconds < 30.0), "{critical:?}");
        assert!(!scraped.mentions("one-of-many"), "a routing key is no label");

        let (status, document) = get(at, "/metrics.json").await;
        assert_eq!(status, 200);
        assert_eq!(document["counters"]["events_published_total"], 5, "{document}");
        assert_eq!(document["gauges"]["bus_broker_connected"], 1);
        let took = &document["histograms"]["event_processing_duration_seconds"];
        assert_eq!((&took["count"], took.get("p95")), (&serde_json::json!(3), None), "{document}");
        assert!(document["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{document}");
        let (_, document) = get(at, "/metrics.json?percentiles").await;
        assert!(document["histograms"]["event_processing_duration_seconds"]["p95"].is_f64(), "{document}");
        bus.shutdown().await;
    }
}

pub(crate) mod o5_failures_are_counted_by_their_reason {
    use super::*;

    #[react("metrics.error", retry(max = 1, initial = "20ms"))]
    async fn errs() -> Result<(), &'static str> {
        Err("it cannot")
    }

    #[react("metrics.panic", retry = "none")]
    async fn panics() {
        panic!("it falls")
    }

    #[react("metrics.late", retry = "none", timeout = "50ms")]
    async fn late() {
        std::future::pending::<()>().await;
    }

    #[message_handler(Send, retry = "none")]
    async fn decodes(_send: Send) {}

    #[react("metrics.again")]
    async fn again(attempt: bus_runtime::Attempt) -> Outcome {
        if attempt.0 == 1 { retry_later(Duration::ZERO) } else { ack() }
    }

    pub(crate) async fn run(arena: Arena) {
        let (bus, at) = start(arena.app(module_path!())).await;
        for key in ["metrics.error", "metrics.panic", "metrics.late", "metrics.again"] {
            bus.react(key, &()).await.unwrap();
        }
        let messages =
            bus.plan().handlers.iter().find(|entry| entry.message.is_some()).unwrap().exchange.clone();
        bus.publish_raw(messages, "metrics.send", "not JSON").content_type("application/json").await.unwrap();
        until(at, "bus_dead_lettered_total", &[], 4.0).await;
        let scraped = until(at, "events_processed_total", &[("handler", "again")], 1.0).await;
        check(
            &scraped,
            &[
                ("events_failed_total", &[("handler", "errs"), ("reason", "error")], 2.0),
                ("events_failed_total", &[("handler", "panics"), ("reason", "panic")], 1.0),
                ("events_failed_total", &[("handler", "late"), ("reason", "timeout")], 1.0),
                ("commands_failed_total", &[("handler", "decodes"), ("reason", "decode")], 1.0),
                ("bus_handler_panics_total", &[("handler", "panics")], 1.0),
                ("bus_handler_timeouts_total", &[("handler", "late")], 1.0),
                ("bus_decode_failures_total", &[("handler", "decodes")], 1.0),
                ("bus_retries_total", &[("handler", "errs"), ("delay", "delayed")], 1.0),
                ("bus_retries_total", &[("handler", "again"), ("delay", "immediate")], 1.0),
                ("bus_dead_lettered_total", &[("handler", "errs"), ("reason", "failed")], 1.0),
                ("bus_dead_lettered_total", &[("handler", "decodes"), ("reason", "decode")], 1.0),
                ("messaging_process_duration_seconds_count", &[("error_type", "timeout")], 1.0),
                ("bus_message_queue_time_seconds_count", &[("handler", "errs")], 1.0),
                ("bus_message_critical_time_seconds_count", &[("handler", "errs")], 0.0),
            ],
        );
        let late = scraped.value("event_processing_duration_seconds_sum", &[("handler", "late")]);
        assert!(late.is_some_and(|seconds| seconds >= 0.05), "{late:?}");
        let dead = bus.plan().handlers.iter().find(|entry| entry.name.ends_with("::errs")).unwrap();
        until(at, "dead_letter_queue_size", &[("queue", dead.dead.as_str())], 1.0).await;
        bus.shutdown().await;
    }
}

pub(crate) mod o5_what_came_back_and_what_was_interrupted {
    use super::*;

    #[react("metrics.back", concurrency = 1)]
    async fn held(calls: State<Calls>) {
        calls.add("begun");
        if calls.count() == 1 {
            std::future::pending::<()>().await;
        }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone()).grace(Duration::from_millis(300));
        let (bus, at) = start(app).await;
        bus.react("metrics.back", &()).await.unwrap();
        calls.until(1).await;
        let ending = tokio::spawn(bus.shutdown());
        until(at, "bus_draining", &[], 1.0).await;
        assert_eq!(ending.await.unwrap().interrupted, 1);
        let (bus, at) = start(arena.app(module_path!()).state(calls.clone())).await;
        calls.until(2).await;
        let queue = [("queue", bus.plan().queues[0].name.as_str())];
        let scraped = until(at, "bus_redelivered_total", &queue, 1.0).await;
        drop(scraped);
        until(at, "events_processed_total", &[("handler", "held")], 1.0).await;
        bus.shutdown().await;
    }
}
