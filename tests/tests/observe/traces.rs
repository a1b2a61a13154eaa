//! The spans of a message: names, kinds, attributes, links, and that they are one trace.

use std::sync::{Arc, Mutex, PoisonError};

use bus_runtime::AdminPort;
use bus_runtime::dead_letters::{Control, Replay, Selection};
use bus_runtime::prelude::*;
use bus_tests::arena::{Arena, Calls};
use bus_tests::exposition::Scrape;
use bus_tests::http::ask;
use opentelemetry::trace::{SpanKind, Status, TracerProvider};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SdkTracerProvider, SpanData, SpanExporter};
use tracing_subscriber::layer::SubscriberExt;

/// Keeps what it is told to export.
#[derive(Clone, Debug, Default)]
struct Kept(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Kept {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(batch);
        Ok(())
    }
}

impl Kept {
    fn all(&self) -> Vec<SpanData> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The spans of this name, in the order in which they began.
    fn named(&self, name: &str) -> Vec<SpanData> {
        let mut named: Vec<_> = self.all().into_iter().filter(|span| span.name == name).collect();
        named.sort_by_key(|span| span.start_time);
        named
    }
}

fn attribute(span: &SpanData, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|attribute| attribute.key.as_str() == name);
    found.map(|attribute| attribute.value.to_string())
}

#[react("traces.*", retry(max = 1, initial = "20ms"))]
async fn fails_twice(calls: State<Calls>, bus: Publisher) -> Result<(), BoxError> {
    calls.add("called");
    if calls.count() < 3 {
        return Err("not yet".into());
    }
    bus.react("followed", &()).await?;
    Ok(())
}

/// Publish, consume, retry, dead letter, replay.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "it is one life")]
async fn o6_the_life_of_a_message_is_one_trace() {
    let kept = Kept::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(kept.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test")).with_location(false);
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));

    let (arena, calls) = (Arena::embedded(), Calls::default());
    let bus = arena.app(module_path!()).state(calls.clone()).start().await.expect("it starts");
    let queue = bus.plan().queues[0].clone();
    bus.react("traces.home", &()).await.expect("published");
    calls.until(2).await;
    arena.until_ready(&queue.dead, 1).await;
    bus.settled().await.expect("settled");
    let letters = bus.dead_letters();
    let replayed = letters.replay(&Selection::default(), &Replay::default(), Control::default()).await;
    assert_eq!(replayed.expect("replayed").moved, 1);
    calls.until(3).await;
    bus.settled().await.expect("settled");
    bus.shutdown().await;

    let all = kept.all();
    let names: Vec<_> = all.iter().map(|span| span.name.to_string()).collect();
    let published = &kept.named("publish react")[0];
    let trace = published.span_context.trace_id();
    // A look at a queue is of no message.
    let (looks, of_message): (Vec<_>, Vec<_>) =
        all.iter().partition(|span| span.name.starts_with("receive "));
    assert!(of_message.iter().all(|span| span.span_context.trace_id() == trace), "{names:?}");
    let look = format!("receive {}", queue.dead);
    let look = looks.into_iter().find(|span| span.name == look).expect("the replay looks at the letters");
    assert_eq!(look.span_kind, SpanKind::Client);
    assert_eq!(attribute(look, "messaging.operation.type").as_deref(), Some("receive"));
    assert_eq!(attribute(look, "messaging.batch.message_count").as_deref(), Some("1"));
    assert_eq!(
        (&published.span_kind, attribute(published, "messaging.destination.name").as_deref()),
        (&SpanKind::Producer, Some("react:traces.home"))
    );
    assert_eq!(attribute(published, "messaging.system").as_deref(), Some("bus_embedded"));

    let consume = format!("consume react:traces.*:{}", queue.name);
    let calls = kept.named(&consume);
    assert_eq!(calls.len(), 3, "{names:?}");
    for (at, call) in calls.iter().enumerate() {
        assert_eq!(call.span_kind, SpanKind::Consumer);
        assert_eq!(call.parent_span_id, published.span_context.span_id(), "attempt {at}");
        let links: Vec<_> = call.links.iter().map(|link| link.span_context.span_id()).collect();
        assert_eq!(links, [published.span_context.span_id()]);
        let is = |name| attribute(call, name).unwrap_or_default();
        assert_eq!(is("messaging.operation.type"), "process");
        assert_eq!(is("messaging.destination.name"), format!("react:traces.home:{}", queue.name));
        assert_eq!(is("messaging.destination.template"), format!("react:traces.*:{}", queue.name));
        assert_eq!(is("bus.handler.name"), "observe::traces::fails_twice");
        assert_eq!(is("code.file.path"), file!());
        assert!(attribute(call, "messaging.rabbitmq.message.delivery_tag").is_none());
    }
    let outcomes: Vec<_> = calls
        .iter()
        .map(|call| {
            (
                attribute(call, "bus.delivery.attempt"),
                attribute(call, "bus.outcome"),
                attribute(call, "error.type"),
                call.status == Status::Unset,
            )
        })
        .collect();
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        outcomes,
        [
            (text("1"), text("retry"), text("error"), false),
            (text("2"), text("dead_letter"), text("error"), false),
            (text("1"), text("ack"), None, true),
        ]
    );
    // What a call publishes is its child; copies have a link to the message.
    let of = |name: &str| kept.named(name);
    let retry = &of(&format!("publish {}", queue.name))[0];
    assert_eq!(retry.parent_span_id, calls[0].span_context.span_id());
    assert_eq!(
        retry.links.iter().next().expect("a link").span_context.span_id(),
        published.span_context.span_id()
    );
    let dead = &of(&format!("publish {}", queue.dead))[0];
    assert_eq!(dead.parent_span_id, calls[1].span_context.span_id());
    let replay = &of(&format!("publish {}", queue.name))[1];
    assert_eq!(replay.parent_span_id, published.span_context.span_id());
    let followed = &of("publish react")[1];
    assert_eq!(followed.parent_span_id, calls[2].span_context.span_id());
    let acks = of(&format!("ack react:traces.*:{}", queue.name));
    let parents: Vec<_> = acks.iter().map(|ack| ack.parent_span_id).collect();
    assert_eq!(parents, calls.iter().map(|call| call.span_context.span_id()).collect::<Vec<_>>());
    assert!(acks.iter().all(|ack| ack.span_kind == SpanKind::Client));
}

#[react("traces-own.#")]
async fn passes_on(headers: Headers, calls: State<Calls>) {
    calls.add(headers.text("traceparent").unwrap_or("none"));
    calls.add(headers.text("baggage").unwrap_or("none"));
}

const THEIRS: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// What the user has put into a message is never overwritten, whoever listens.
#[tokio::test]
async fn o6_a_trace_of_the_user_stays() {
    let provider = SdkTracerProvider::builder().with_simple_exporter(Kept::default()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test")).with_location(false);
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let (arena, calls) = (Arena::embedded(), Calls::default());
    let bus = arena.app(module_path!()).state(calls.clone()).start().await.expect("it starts");
    let publish = bus.react("traces-own.x", &()).header("traceparent", THEIRS).header("baggage", "a=1");
    publish.await.expect("published");
    calls.until(2).await;
    assert_eq!(calls.all(), [THEIRS, "a=1"]);
    bus.settled().await.expect("settled");
    bus.shutdown().await;
}

#[react("traces-timed")]
async fn timed() {}

/// What took long in a histogram is found among the traces.
#[tokio::test]
async fn o6_a_time_points_to_its_trace() {
    let kept = Kept::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(kept.clone()).build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("test")).with_location(false);
    let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let arena = Arena::embedded();
    let mut config = arena.config();
    config.http = Some(AdminPort::parse("127.0.0.1:0").expect("an address"));
    let bus =
        arena.app(module_path!()).config(config).state(Calls::default()).start().await.expect("it starts");
    bus.react("traces-timed", &()).await.expect("published");
    bus.settled().await.expect("settled");
    let at = bus.admin_address().expect("it listens");
    let (_, _, text) = ask(at, "/metrics", &[("Accept", "application/openmetrics-text")]).await;
    let scraped = Scrape::open_metrics(&text);
    let trace = kept.named("publish react")[0].span_context.trace_id().to_string();
    assert_eq!(scraped.traces("event_processing_duration_seconds"), [trace]);
    let (_, _, text) = ask(at, "/metrics", &[]).await;
    drop(Scrape::prometheus(&text));
    bus.shutdown().await;
}
