//! What a worker says of its health that its handlers are to blame for.

use serde_json::Value;

use super::exported::Port;
use super::worker::Worker;

/// It is named in the log and in the health, and forgotten when it lets go.
#[tokio::test]
async fn o9_a_handler_that_holds_a_thread_of_the_runtime_is_named() {
    let mut worker = Worker::embedded(&[("BUS_HTTP", "127.0.0.1:0")]).await;
    let port = Port::of(&worker);
    port.until("/readyz", |health| health["status"] == "ready").await;
    worker.order(r#"{ "id": 1, "does": "blocks", "ms": 4000 }"#);
    let is_named = |health: &Value| {
        let problems = health["problems"].to_string();
        health["status"] == "degraded" && problems.contains("obeys::obey holds a thread of the runtime")
    };
    port.until("/readyz", is_named).await;
    worker.until("it is logged", |worker| worker.log().contains("BUS0213")).await;
    port.until("/readyz", |health| health["status"] == "ready").await;
    worker.signal("TERM");
    let end = worker.ended().await;
    assert_eq!(end.log.matches("BUS0213").count(), 1, "{}", end.log);
    assert!(end.log.contains("holds a thread of the runtime no more"), "{}", end.log);
}

/// Those that take their time with `.await` hold nothing.
#[tokio::test]
async fn o9_a_handler_that_waits_holds_no_thread() {
    let mut worker = Worker::embedded(&[("BUS_HTTP", "off")]).await;
    worker.order(r#"{ "id": 1, "does": "ends", "ms": 2500 }"#);
    worker.until_said("ended", 1).await;
    worker.signal("TERM");
    let end = worker.ended().await;
    assert!(!end.log.contains("BUS0213"), "{}", end.log);
}
