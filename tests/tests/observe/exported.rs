//! What `run()` sends to a collector, as the variables of OpenTelemetry say.

use std::net::SocketAddr;
use std::time::Duration;

use bus_tests::collector::{Collector, Span, attribute};
use bus_tests::http::{Answer, request};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::worker::{End, Worker};

/// As soon as there are any.
const AT_ONCE: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "50");
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

async fn ends(worker: Worker) -> End {
    worker.signal("TERM");
    let end = worker.ended().await;
    assert_eq!(end.code(), 0, "{}", end.log);
    end
}

/// Handles one order with these variables, and ends.
async fn handle_one(collector: &Collector, environment: &[(&str, &str)]) -> End {
    let mut all = vec![("BUS_HTTP", "off"), (ENDPOINT, collector.url()), AT_ONCE];
    all.extend_from_slice(environment);
    let mut worker = Worker::embedded(&all).await;
    worker.order(r#"{ "id": 7, "does": "ends" }"#);
    worker.until_said("ended", 1).await;
    ends(worker).await
}

/// The admin port of a worker, asked until it says what is waited for.
pub(crate) struct Port(SocketAddr);

impl Port {
    pub(crate) fn of(worker: &Worker) -> Self {
        let log = worker.log();
        let events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut addresses = events.filter_map(|event| event["http"].as_str()?.parse().ok());
        Self(addresses.next().expect("it says where it listens"))
    }

    pub(crate) async fn until(&self, path: &str, is_so: impl Fn(&Value) -> bool) {
        for _ in 0..3000 {
            let found = request(self.0, "GET", path, &[], "").await.json();
            if is_so(&found) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("waited in vain for {path}");
    }

    async fn post(&self, path: &str, fields: &Value) -> Answer {
        let headers = [("Content-Type", "application/json"), ("X-Bus-Client", "test")];
        request(self.0, "POST", path, &headers, &fields.to_string()).await
    }
}

fn named<'a>(spans: &'a [Span], name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.name == name).collect()
}

/// Publish, consume, retry, dead letter, replay, and all of that again: as the collector has it when the program has ended.
#[tokio::test]
async fn o11_a_collector_has_the_whole_life_of_a_message() {
    let collector = Collector::start().await;
    let own = "deployment.environment.name=test,service.namespace=shop";
    let mut worker = Worker::embedded(&[
        ("BUS_HTTP", "127.0.0.1:0"),
        (ENDPOINT, collector.url()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=forge"),
        ("OTEL_RESOURCE_ATTRIBUTES", own),
        AT_ONCE,
    ])
    .await;
    let port = Port::of(&worker);
    let dead = |letters: &Value| letters["letters"].as_array().is_some_and(|letters| letters.len() == 1);
    worker.order(r#"{ "id": 7, "does": "fails" }"#);
    worker.until_said("begun", 3).await;
    port.until("/api/v1/dead-letters", dead).await;
    let begun = port.post("/api/v1/dead-letters/replay", &json!({ "queue": "orders.dead" })).await;
    assert_eq!(begun.status, 202, "{}", begun.body);
    worker.until_said("begun", 6).await;
    port.until("/api/v1/dead-letters", dead).await;
    ends(worker).await;

    let resource = collector.resource();
    let is = |name| attribute(&resource, name);
    assert_eq!(is("service.name").as_deref(), Some("obeys"));
    assert_eq!(is("service.namespace").as_deref(), Some("shop"));
    assert_eq!(is("deployment.environment.name").as_deref(), Some("test"));
    assert_eq!(is("telemetry.sdk.language").as_deref(), Some("rust"));
    assert!(is("service.instance.id").is_some() && is("process.pid").is_some(), "{resource:?}");
    assert!(collector.sent().iter().all(|sent| sent.head.contains("x-tenant: forge")));

    let spans = collector.spans();
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    let count = |name: &str, kind| {
        let found = named(&spans, name);
        assert!(found.iter().all(|span| span.kind == kind as i32), "{name}: {found:?}");
        found.len()
    };
    let consume = "consume messages:order.obey:orders";
    assert_eq!(count("publish messages:order.obey", SpanKind::Producer), 1, "{names:?}");
    assert_eq!(count(consume, SpanKind::Consumer), 6, "{names:?}");
    assert_eq!(count("publish orders", SpanKind::Producer), 5, "four retries and a replay: {names:?}");
    assert_eq!(count("publish orders.dead", SpanKind::Producer), 2, "{names:?}");
    assert_eq!(count("ack messages:order.obey:orders", SpanKind::Client), 6, "{names:?}");
    assert!(count("receive orders.dead", SpanKind::Client) > 0, "{names:?}");
    let trace = &named(&spans, "publish messages:order.obey")[0].trace_id;
    for span in spans.iter().filter(|span| !span.name.starts_with("receive ")) {
        assert_eq!(&span.trace_id, trace, "{} is of another trace", span.name);
        assert_eq!(attribute(&span.attributes, "messaging.system").as_deref(), Some("bus_embedded"));
    }
    for call in named(&spans, consume) {
        assert_eq!(call.status.as_ref().expect("a status").code(), StatusCode::Error);
        assert_eq!(attribute(&call.attributes, "error.type").as_deref(), Some("error"));
        let events: Vec<_> = call.events.iter().map(|event| event.name.as_str()).collect();
        assert!(events.contains(&"carrying out") && events.contains(&"the handler failed"), "{events:?}");
    }
}

#[tokio::test]
async fn o11_the_name_and_the_parents_are_chosen() {
    let collector = Collector::start().await;
    let environment =
        [("OTEL_SERVICE_NAME", "billing"), ("BUS_OTEL_PARENT", "link"), ("BUS_OTEL_SETTLE_SPANS", "0")];
    handle_one(&collector, &environment).await;
    assert_eq!(attribute(&collector.resource(), "service.name").as_deref(), Some("billing"));
    let spans = collector.spans();
    let names: Vec<_> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["publish messages:order.obey", "consume messages:order.obey:orders"]);
    let [publish, consume] = spans.as_slice() else { panic!("{names:?}") };
    assert_ne!(consume.trace_id, publish.trace_id);
    assert!(consume.parent_span_id.is_empty());
    let links: Vec<_> = consume.links.iter().map(|link| (&link.trace_id, &link.span_id)).collect();
    assert_eq!(links, [(&publish.trace_id, &publish.span_id)]);
}

#[tokio::test]
async fn o11_without_a_propagator_nothing_is_followed() {
    let collector = Collector::start().await;
    handle_one(&collector, &[("OTEL_PROPAGATORS", "none")]).await;
    let spans = collector.spans();
    let publish = named(&spans, "publish messages:order.obey")[0];
    let consume = named(&spans, "consume messages:order.obey:orders")[0];
    assert_ne!(consume.trace_id, publish.trace_id);
    assert!(consume.links.is_empty());
}

#[tokio::test]
async fn o11_nothing_is_sent_where_that_is_said() {
    for (name, value) in [
        ("OTEL_SDK_DISABLED", "true"),
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_TRACES_SAMPLER", "always_off"),
    ] {
        let collector = Collector::start().await;
        handle_one(&collector, &[(name, value)]).await;
        assert!(collector.sent().is_empty(), "{name}={value}: {:?}", collector.spans());
    }
}

#[tokio::test]
async fn o11_what_run_cannot_export_is_said() {
    let collector = Collector::start().await;
    let environment = [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_TRACES_SAMPLER", "sometimes")];
    let end = handle_one(&collector, &environment).await;
    assert!(end.log.contains("OTEL_EXPORTER_OTLP_PROTOCOL `grpc` is not used"), "{}", end.log);
    assert!(end.log.contains("OTEL_TRACES_SAMPLER `sometimes` is not used"), "{}", end.log);
    assert!(!collector.spans().is_empty(), "it exports all the same");
}

/// Nobody listens, or somebody who never answers: messages are handled, one warning is given, and the end comes in time.
#[tokio::test]
async fn o11_a_dead_collector_disturbs_nobody() {
    let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addresses = [deaf.local_addr().unwrap(), gone.local_addr().unwrap()];
    drop(gone);
    for address in addresses {
        let url = format!("http://{address}");
        // A collector that does not answer is given up after 300 ms.
        let environment =
            [("BUS_HTTP", "off"), (ENDPOINT, url.as_str()), AT_ONCE, ("OTEL_EXPORTER_OTLP_TIMEOUT", "300")];
        let mut worker = Worker::embedded(&environment).await;
        worker.order(r#"{ "id": 0, "does": "ends" }"#);
        worker.until("it warns", |worker| worker.log().contains("traces can't be exported")).await;
        for id in 1..200 {
            worker.order(&format!(r#"{{ "id": {id}, "does": "ends" }}"#));
        }
        worker.until_said("ended", 200).await;
        let end = ends(worker).await;
        assert_eq!(end.log.matches("traces can't be exported").count(), 1, "{}", end.log);
        assert!(end.after < Duration::from_secs(8), "it took {:?} to end", end.after);
    }
}
