//! What stands between a message and its handler: filters, and layers.

use std::time::{Duration, Instant};

use bus_runtime::middleware;
use bus_runtime::prelude::*;
use bus_tests::arena::{Arena, Calls};

pub(crate) mod l8_filters {
    use super::*;
    use bus_runtime::Metadata;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[event("l8.event")]
    struct Happened(u32);

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[task("l8.task")]
    struct Do(u32);

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("l8.command", reply = u32)]
    struct Ask(u32);

    fn of_session(message: &Metadata) -> bool {
        message.context().session_id() == Some("job-1")
    }

    #[react("l8.#", when = |message| message.message_type() == Some("wanted"))]
    async fn by_type(calls: State<Calls>) {
        calls.add("type");
    }

    #[audit("l8.#", when = of_session)]
    async fn by_session(calls: State<Calls>) {
        calls.add("session");
    }

    #[message_handler(Happened, when = |message| message.headers().text("tenant") == Some("ours"))]
    async fn by_header(event: Happened, calls: State<Calls>) {
        calls.add(format!("header {}", event.0));
    }

    #[message_handler(Do, when = |message| message.body_len() > 1)]
    async fn by_closure(task: Do, calls: State<Calls>) {
        calls.add(format!("closure {}", task.0));
    }

    #[message_handler(Ask, when = of_session)]
    async fn of_command(ask: Ask) -> Result<u32, BoxError> {
        Ok(ask.0 + 1)
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        bus.react("l8.x", &()).message_type("wanted").await.unwrap();
        bus.react("l8.x", &()).message_type("other").await.unwrap();
        bus.react("l8.x", &()).await.unwrap();
        bus.audit("l8.x", &()).header("bus-session-id", "job-1").await.unwrap();
        bus.audit("l8.x", &()).header("bus-session-id", "job-2").await.unwrap();
        bus.publish(&Happened(1)).header("tenant", "ours").await.unwrap();
        bus.publish(&Happened(2)).header("tenant", "theirs").await.unwrap();
        bus.publish(&Do(3)).await.unwrap();
        bus.publish(&Do(44)).await.unwrap();
        assert!(bus.execute(Ask(1)).await.is_err(), "it is of no session");
        calls.until(4).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        assert_eq!(all, ["closure 44", "header 1", "session", "type"]);
        let filtered: u64 = bus.stats().handlers.iter().map(|handler| handler.filtered).sum();
        assert_eq!(filtered, 6);
        let called: u64 = bus.stats().handlers.iter().map(|handler| handler.called).sum();
        assert_eq!(called, 4);
        bus.shutdown().await;
    }
}

pub(crate) mod l8_layers_are_called_in_their_order {
    use super::*;

    #[react("order.one", group = "wiki", name = "one")]
    async fn one(calls: State<Calls>) {
        calls.add("handler");
    }

    #[react("order.two", name = "two")]
    async fn two(calls: State<Calls>) {
        calls.add("handler");
    }

    /// A layer that says when it is entered and when it is left.
    macro_rules! says {
        ($calls:ident, $name:literal) => {{
            let calls = $calls.clone();
            middleware::from_fn(move |delivery, next| {
                let calls = calls.clone();
                async move {
                    calls.add(concat!($name, " in"));
                    let outcome = next.run(delivery).await;
                    calls.add(concat!($name, " out"));
                    outcome
                }
            })
        }};
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone());
        let app = app.layer_for("wiki", says!(calls, "group")).layer(says!(calls, "first"));
        let app = app.layer_on("two", says!(calls, "named")).layer(says!(calls, "last"));
        let bus = app.start().await.unwrap();
        bus.react("order.one", &()).await.unwrap();
        calls.until(7).await;
        bus.react("order.two", &()).await.unwrap();
        calls.until(14).await;
        let all = calls.all();
        assert_eq!(
            all[..7],
            ["group in", "first in", "last in", "handler", "last out", "first out", "group out"]
        );
        assert_eq!(
            all[7..],
            ["first in", "named in", "last in", "handler", "last out", "named out", "first out"]
        );
        bus.shutdown().await;

        for (app, text) in [
            (arena.app(module_path!()).layer_for("wikki", middleware::logging()), "did you mean \"wiki\"?"),
            (arena.app(module_path!()).layer_on("tow", middleware::logging()), "did you mean \"two\"?"),
        ] {
            let error = app.state(calls.clone()).start().await.unwrap_err();
            assert_eq!(error.kind(), bus_runtime::ErrorKind::UnknownHandler);
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}

pub(crate) mod ready_made_layers {
    use super::*;

    #[react("ready.#", retry = "none")]
    async fn ready(text: Json<String>, calls: State<Calls>) -> Result<(), String> {
        calls.add(format!("called with {}", *text));
        tokio::time::sleep(Duration::from_millis(20)).await;
        if *text == "fail" { Err("on purpose".to_owned()) } else { Ok(()) }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let seen = calls.clone();
        let timing = middleware::timing(move |delivery, took, outcome| {
            let slow = if took >= Duration::from_millis(20) { "slow" } else { "quick" };
            seen.add(format!("{} {slow} {}", delivery.metadata().routing_key(), outcome.as_str()));
        });
        // The body is checked as a type of its own.
        let validation = middleware::validation(|delivery| {
            let Json(text) = <Json<String> as bus_runtime::FromDelivery>::from_delivery(delivery)?;
            if text.is_empty() { Err(BoxError::from("an empty text")) } else { Ok(()) }
        });
        let app = arena.app(module_path!()).state(calls.clone());
        let bus = app.layer(middleware::logging()).layer(timing).layer(validation).start().await.unwrap();
        for (key, text) in [("ok", "text"), ("empty", ""), ("fail", "fail")] {
            bus.react(format!("ready.{key}"), text).await.unwrap();
        }
        calls.until(5).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        assert_eq!(
            all,
            [
                "called with fail",
                "called with text",
                "ready.empty quick dead_letter",
                "ready.fail slow failed",
                "ready.ok slow done",
            ]
        );
        let dead = bus.plan().queues[0].dead.clone();
        let letters = arena.take(dead.trim_start_matches(arena.name("").as_str())).await;
        let mut errors: Vec<_> =
            letters.iter().filter_map(|letter| letter.headers.text("bus-error")).collect();
        errors.sort_unstable();
        assert_eq!(errors, ["an empty text", "on purpose"]);
        bus.shutdown().await;
    }
}

pub(crate) mod layers_of_tower {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tower::limit::ConcurrencyLimitLayer;
    use tower::load_shed::LoadShedLayer;
    use tower::timeout::TimeoutLayer;

    #[derive(Default)]
    struct Gauge {
        now: AtomicUsize,
        most: AtomicUsize,
    }

    #[react("tower.limit", group = "limit", concurrency = 8)]
    async fn limited(gauge: State<Gauge>, calls: State<Calls>) {
        gauge.most.fetch_max(gauge.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(20)).await;
        gauge.now.fetch_sub(1, Ordering::SeqCst);
        calls.add("limit");
    }

    #[react("tower.timeout", group = "timeout", retry = "none")]
    async fn slow(calls: State<Calls>) {
        calls.add("timeout");
        std::future::pending::<()>().await;
    }

    /// Side by side in the handler's own concurrency; what is too much is tried again later.
    #[react(
        "tower.shed",
        group = "shed",
        concurrency = 8,
        retry(max = 20, initial = "100ms", factor = 1.0, jitter = 0)
    )]
    async fn shed(calls: State<Calls>) {
        tokio::time::sleep(Duration::from_millis(20)).await;
        calls.add("shed");
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone()).state(Gauge::default());
        let app = app
            .layer_for("limit", ConcurrencyLimitLayer::new(2))
            .layer_for("timeout", TimeoutLayer::new(Duration::from_millis(50)))
            // The first is the outermost: it sheds what the limit does not take.
            .layer_for("shed", LoadShedLayer::new())
            .layer_for("shed", ConcurrencyLimitLayer::new(1));
        let bus = app.start().await.unwrap();
        for _ in 0..6 {
            bus.react("tower.limit", &()).await.unwrap();
        }
        bus.react("tower.timeout", &()).await.unwrap();
        for _ in 0..3 {
            bus.react("tower.shed", &()).await.unwrap();
        }
        calls.until(10).await;
        bus.settled().await.unwrap();
        let stats = bus.stats().handlers;
        let of = |name: &str| stats.iter().find(|handler| handler.name.ends_with(name)).unwrap();
        assert_eq!(of("limited").handled, 6);
        assert_eq!((of("slow").failed, of("slow").dead_lettered), (1, 1));
        assert_eq!(of("shed").handled, 3);
        assert_eq!(of("shed").failed, of("shed").retried, "what was shed was tried again");
        let counted = |name: &str| calls.all().iter().filter(|call| *call == name).count();
        assert_eq!((counted("limit"), counted("shed"), counted("timeout")), (6, 3, 1));
        bus.shutdown().await;
    }
}

pub(crate) mod a_rate_limit_of_tower_delays {
    use super::*;
    use tower::limit::RateLimitLayer;

    #[react("rate.#")]
    async fn paced(calls: State<Calls>) {
        calls.add("called");
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone());
        let bus = app.layer(RateLimitLayer::new(2, Duration::from_millis(200))).start().await.unwrap();
        let started = Instant::now();
        for _ in 0..6 {
            bus.react("rate.x", &()).await.unwrap();
        }
        calls.until(6).await;
        // Two in each of three windows: two windows have to pass.
        assert!(started.elapsed() >= Duration::from_millis(400), "{:?}", started.elapsed());
        bus.settled().await.unwrap();
        let stats = bus.stats().handlers.remove(0);
        assert_eq!((stats.handled, stats.failed), (6, 0));
        bus.shutdown().await;
    }
}
