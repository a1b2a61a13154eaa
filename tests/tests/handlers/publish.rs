//! What handlers and programs publish.

use std::time::Duration;

use bus_runtime::prelude::*;
use bus_runtime::{Attempt, ErrorKind, Metadata};
use bus_tests::arena::{Arena, Calls, until};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize, Message)]
#[event("publish.saved", terminal)]
struct Saved {
    page: String,
}

#[derive(Debug, Serialize, Deserialize, Message)]
#[task("publish.render", version = 2)]
struct Render {
    page: String,
}

pub(crate) mod k4_a_failing_handler_publishes_nothing {
    use super::*;

    #[react("k4.start", retry(max = 2, initial = "50ms"))]
    async fn publishes(attempt: Attempt, bus: Publisher) -> Result<(), BoxError> {
        bus.react("k4.effect", &attempt.0).await?;
        if attempt.0 < 3 { Err("not yet".into()) } else { Ok(()) }
    }

    #[react("k4.effect")]
    async fn effect(attempt: Json<u32>, calls: State<Calls>) {
        calls.add(attempt.0);
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        bus.react("k4.start", &()).await.unwrap();
        calls.until(1).await;
        bus.settled().await.unwrap();
        assert_eq!(calls.all(), ["3"], "only the attempt that succeeded has published");
        bus.shutdown().await;
    }
}

pub(crate) mod k4_a_handler_publishes_before_its_ack {
    use super::*;

    #[react("k4b.start")]
    async fn publishes(bus: Publisher) -> Result<(), BoxError> {
        for number in 0..10 {
            bus.react("k4b.effect", &number).await?;
        }
        Saved { page: "home".to_owned() }.publish().await?;
        Ok(())
    }

    #[react("k4b.effect")]
    async fn effect(metadata: Metadata, calls: State<Calls>) {
        calls.add(metadata.message_id().unwrap_or_default());
    }

    #[message_handler(Saved)]
    async fn saved(saved: Saved, calls: State<Calls>) {
        calls.add(saved.page);
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        bus.react("k4b.start", &()).message_id("first").await.unwrap();
        calls.until(11).await;
        bus.react("k4b.start", &()).message_id("first").await.unwrap();
        calls.until(22).await;
        let mut ids = calls.all();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 11, "a repeated message publishes under the same ids: {ids:?}");
        bus.shutdown().await;
    }
}

pub(crate) mod c5_publishes_inherit_the_context {
    use super::*;

    #[react("c5.start")]
    async fn publishes(bus: Publisher) -> Result<(), BoxError> {
        bus.react("c5.next", &()).await?;
        bus.react("c5.next", &()).context("other", "tracker").correlation_id("own").await?;
        Ok(())
    }

    #[react("c5.next")]
    async fn next(context: Context, metadata: Metadata, calls: State<Calls>) {
        calls.add(format!(
            "{:?} {:?} {:?} {:?}",
            context.project_id(),
            context.mount_point(),
            metadata.headers().text("traceparent"),
            metadata.correlation_id()
        ));
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let start = bus.react("c5.start", &serde_json::json!({ "project_id": "p1" }));
        start.header("traceparent", trace).message_id("m1").await.unwrap();
        calls.until(2).await;
        let mut all = calls.all();
        all.sort();
        assert_eq!(all[0], format!("Some(\"other\") Some(\"tracker\") Some({trace:?}) Some(\"own\")"));
        assert_eq!(all[1], format!("Some(\"p1\") None Some({trace:?}) Some(\"m1\")"));
        bus.shutdown().await;
    }
}

pub(crate) mod p1_unroutable_tasks_are_errors {
    use super::*;

    #[react("p1.nothing")]
    async fn nothing() {}

    pub(crate) async fn run(arena: Arena) {
        let bus = arena.app(module_path!()).start().await.unwrap();
        let task = bus.publish(&Render { page: "home".to_owned() }).await.unwrap_err();
        assert_eq!(task.kind(), ErrorKind::Unroutable);
        assert!(task.to_string().contains("publish.render"), "{task}");
        let audit = bus.audit("nobody.listens", &()).await.unwrap_err();
        assert_eq!(audit.kind(), ErrorKind::Unroutable);
        bus.react("nobody.listens", &()).await.unwrap();
        bus.publish(&Saved { page: "home".to_owned() }).await.unwrap();
        let long = bus.react("x".repeat(256), &()).await.unwrap_err();
        assert_eq!(long.kind(), ErrorKind::InvalidName);
        let missing =
            bus.publish_raw(arena.name("no-such-exchange").as_str(), "key", "{}").await.unwrap_err();
        assert_eq!(missing.kind(), ErrorKind::NotFound, "{missing}");
        // The publisher is as good as before.
        bus.react("p1.nothing", &()).await.unwrap();
        assert_eq!((bus.stats().published, bus.stats().unroutable), (5, 4));
        bus.shutdown().await;
    }
}

pub(crate) mod p5_messages_say_what_they_are {
    use super::*;

    #[message_handler(Render)]
    async fn render(message: MessageOf<Render>, calls: State<Calls>) {
        let metadata = message.metadata();
        let properties = metadata.properties();
        calls.add(format!(
            "{} {} {} {} {} {} {:?}",
            message.payload().page,
            properties.persistent,
            properties.content_type.as_deref().unwrap_or_default(),
            metadata.message_type().unwrap_or_default(),
            properties.app_id.as_deref().unwrap_or_default(),
            metadata.message_id().is_some_and(|id| id.len() == 36) && properties.timestamp.is_some(),
            metadata.headers().int("bus-version"),
        ));
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        bus.publish(&Render { page: "home".to_owned() }).await.unwrap();
        calls.until(1).await;
        assert_eq!(calls.all(), ["home true application/json publish.render test true Some(2)"]);
        bus.shutdown().await;
    }
}

pub(crate) mod after_delays_on_the_broker {
    use super::*;
    use std::time::Instant;

    #[react("after.#")]
    async fn later(key: RoutingKey, metadata: Metadata, calls: State<Calls>) {
        calls.add(format!("{key} {} {:?}", metadata.attempt(), metadata.headers().text("mine")));
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        let started = Instant::now();
        for millis in [2_500, 900, 0] {
            let publish = bus.react(format!("after.{millis}"), &()).header("mine", "kept");
            publish.after(Duration::from_millis(millis)).await.unwrap();
        }
        calls.until(2).await;
        assert!(started.elapsed() >= Duration::from_secs(1), "rounded up to whole seconds");
        calls.until(3).await;
        assert!(started.elapsed() >= Duration::from_secs(3));
        let kept = |millis: &str| format!("after.{millis} 1 Some(\"kept\")");
        assert_eq!(calls.all(), [kept("0"), kept("900"), kept("2500")]);
        bus.shutdown().await;
    }
}

pub(crate) mod a_publisher_ends_with_its_handler {
    use super::*;

    #[react("ended.#")]
    async fn leaks(bus: Publisher, calls: State<Calls>) {
        let calls = calls.clone();
        tokio::task::spawn(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let error = bus.react("ended.later", &()).await.unwrap_err();
            calls.add(format!("{:?}", error.kind()));
        });
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        bus.react("ended.x", &()).await.unwrap();
        until("the task has tried", || calls.count() == 1).await;
        assert_eq!(calls.all(), ["HandlerFinished"]);
        bus.shutdown().await;
    }
}

pub(crate) mod l3_what_is_due_later_holds_up_nobody {
    use super::*;

    #[react("l3.#")]
    async fn on_any(key: RoutingKey, calls: State<Calls>) {
        calls.add(key);
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).grace(Duration::ZERO).start().await.unwrap();
        for seconds in [60, 61, 120] {
            bus.react("l3.later", &()).after(Duration::from_secs(seconds)).await.unwrap();
        }
        bus.react("l3.now", &()).await.unwrap();
        calls.until(1).await;
        assert_eq!(calls.all(), ["l3.now"]);
        bus.shutdown().await;
    }
}

/// Between publish and handler nothing waits for time to pass: no timer, no polling. The benches measure the rest.
mod l9 {
    use super::*;
    use bus_runtime::HandlerRegistration;
    use tokio::time::Instant;

    #[react("l9.#")]
    async fn on_any(calls: State<Calls>) {
        calls.add("called");
    }

    #[tokio::test(start_paused = true)]
    async fn l9_no_time_passes_between_publish_and_handler() {
        let own = |one: &&HandlerRegistration| one.id().module == module_path!();
        let app =
            HandlerRegistration::linked().filter(own).fold(bus_runtime::app(), |app, one| app.register(*one));
        let calls = Calls::default();
        let bus = TestBus::start(app.state(calls.clone())).await;
        let started = Instant::now();
        for _ in 0..1_000 {
            bus.react("l9.x", &()).await;
        }
        while calls.count() < 1_000 {
            // Lets others run; the clock stands still as long as one of them can.
            tokio::task::yield_now().await;
        }
        assert_eq!(started.elapsed(), Duration::ZERO);
    }
}
