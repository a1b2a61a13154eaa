//! The log of a program that uses `run()`: what stands on each line.

use serde_json::Value;

use super::worker::Worker;

/// What no line of a log may show.
const SECRET: &str = "quite-secret";

/// Of a message that fails until it dies, and of one whose handler panics until it does.
#[tokio::test]
async fn o10_every_line_of_a_delivery_names_message_handler_and_attempt() {
    let mut worker = Worker::embedded(&[("BUS_HTTP", "off"), ("RUST_LOG", "trace,lapin=off")]).await;
    for (id, does) in [(1, "fails"), (2, "panics")] {
        worker.order(&format!(r#"{{ "id": {id}, "does": "{does}", "note": "{SECRET}" }}"#));
    }
    let is_dead = |worker: &Worker| worker.log().matches("\"code\":\"BUS0202\"").count() == 6;
    worker.until_said("begun", 6).await;
    worker.until("both are dead", is_dead).await;
    worker.signal("TERM");
    let end = worker.ended().await;
    assert!(!end.log.contains(SECRET), "{}", end.log);
    assert!(!end.log.contains("otel."), "{}", end.log);

    let lines: Vec<Value> = end.log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of =
        |message: &str| -> Vec<&Value> { lines.iter().filter(|line| line["message"] == message).collect() };
    // What the user's handler logs, what the hook says of a panic, and what the worker says.
    for (message, count) in [("carrying out", 6), ("panicked", 3), ("the handler failed", 6)] {
        let found = of(message);
        assert_eq!(found.len(), count, "{message}: {}", end.log);
        for line in found {
            for field in ["message_id", "handler", "attempt"] {
                assert!(!line[field].is_null(), "`{message}` does not say {field}: {line}");
            }
        }
    }
    let attempts: Vec<_> = of("carrying out").iter().map(|line| line["attempt"].as_u64()).collect();
    assert_eq!(attempts.iter().filter(|attempt| **attempt == Some(3)).count(), 2, "{attempts:?}");
    for line in &lines {
        if line["spans"].as_array().is_some_and(|spans| spans.contains(&"consume".into())) {
            assert!(line["message_id"].is_string() && line["handler"] == "obeys::obey", "{line}");
        }
    }
}
