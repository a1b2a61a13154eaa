//! How a delivery ends: the settlement table.

use std::time::Duration;

use bus_runtime::prelude::*;
use bus_tests::arena::{Arena, Calls};

pub(crate) mod k2_every_outcome_is_one_settlement {
    use super::*;
    use bus_runtime::{Attempt, HandlerError};

    #[react("k2.*", retry(max = 1, initial = "50ms"), timeout = "300ms")]
    async fn any(key: RoutingKey, attempt: Attempt, calls: State<Calls>) -> Result<Outcome, HandlerError> {
        calls.add(format!("{key} {attempt}"));
        let failed = || HandlerError::new("failed on purpose");
        match key.as_str() {
            "k2.ok" => Ok(ack()),
            "k2.reject" => Ok(reject("no use")),
            "k2.retry" => Ok(retry()),
            "k2.requeue" if calls.all().iter().filter(|call| *call == "k2.requeue 1").count() < 3 => {
                Ok(requeue())
            }
            "k2.requeue" => Ok(ack()),
            "k2.error" => Err(failed()),
            "k2.permanent" => Err(HandlerError::permanent("never again")),
            "k2.timeout" => std::future::pending().await,
            _ => Err(failed()),
        }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        for key in ["ok", "reject", "retry", "requeue", "error", "permanent", "timeout"] {
            bus.react(format!("k2.{key}"), &()).await.unwrap();
        }
        let dead = format!("{}.dead", bus.plan().queues[0].name.trim_start_matches(arena.name("").as_str()));
        arena.until_ready(&dead, 5).await;
        bus.settled().await.unwrap();
        let stats = bus.stats().handlers.remove(0);
        assert_eq!((stats.handled, stats.retried, stats.requeued, stats.dead_lettered), (2, 3, 2, 5));
        let count = |call: &str| calls.all().iter().filter(|other| *other == call).count();
        assert_eq!(count("k2.ok 1"), 1);
        assert_eq!(count("k2.requeue 1"), 3);
        for key in ["retry", "error", "timeout"] {
            assert_eq!((count(&format!("k2.{key} 1")), count(&format!("k2.{key} 2"))), (1, 1), "{key}");
        }
        let mut reasons: Vec<_> = arena
            .take(&dead)
            .await
            .iter()
            .map(|letter| {
                format!(
                    "{} {}",
                    letter.headers.text("bus-routing-key").unwrap(),
                    letter.headers.text("bus-reason").unwrap()
                )
            })
            .collect();
        reasons.sort();
        assert_eq!(
            reasons,
            [
                "k2.error failed",
                "k2.permanent permanent",
                "k2.reject rejected",
                "k2.retry failed",
                "k2.timeout failed"
            ]
        );
        assert_eq!(arena.ready(&dead.replace(".dead", "")).await, 0);
        bus.shutdown().await;
    }
}

/// What the table above does not hold.
pub(crate) mod k2_whatever_happens_it_is_settled_once {
    use super::*;
    use bus_runtime::{Attempt, HandlerError};

    #[react("k2more.*", retry(max = 1, initial = "50ms"))]
    async fn any(
        key: RoutingKey,
        attempt: Attempt,
        settle: Settle,
        calls: State<Calls>,
        _text: Json<String>,
    ) -> Result<Outcome, HandlerError> {
        calls.add(format!("{key} {attempt}"));
        match (key.as_str(), attempt) {
            ("k2more.early", _) => settle.ack().await.map(|()| ack()).map_err(HandlerError::new),
            ("k2more.later", Attempt(1)) => Ok(retry_later(Duration::from_millis(200))),
            ("k2more.discard", _) => Ok(Outcome::Discard),
            ("k2more.nack", _) if calls.all().iter().filter(|call| call.contains("nack")).count() < 2 => {
                Ok(nack())
            }
            ("k2more.panic", _) => panic!("on purpose"),
            _ => Ok(ack()),
        }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        for key in ["early", "later", "discard", "nack", "panic"] {
            bus.react(format!("k2more.{key}"), "text").await.unwrap();
        }
        bus.react("k2more.undecodable", &42).await.unwrap();
        // Of a type and a key that no handler of the queue is for.
        let queue = bus.plan().queues[0].clone();
        bus.publish_raw("", queue.name.as_str(), "null").await.unwrap();
        let dead = queue.dead.trim_start_matches(arena.name("").as_str());
        arena.until_ready(dead, 3).await;
        calls.until(8).await;
        bus.settled().await.unwrap();
        let stats = bus.stats().handlers.remove(0);
        // The undecodable one is an attempt that ended before the handler's body.
        assert_eq!((stats.called, stats.handled, stats.requeued, stats.retried), (9, 3, 1, 2));
        let letters = arena.take(dead).await;
        let mut reasons: Vec<_> =
            letters.iter().filter_map(|letter| letter.headers.text("bus-reason")).collect();
        reasons.sort_unstable();
        assert_eq!(reasons, ["decode", "failed", "unknown_type"]);
        bus.shutdown().await;
        assert_eq!(arena.ready(queue.name.trim_start_matches(arena.name("").as_str())).await, 0);
    }
}

pub(crate) mod k5_timeouts_free_their_slots {
    use super::*;

    #[react("k5.*", timeout = "200ms", retry = "none", concurrency = 4, prefetch = 4)]
    async fn hang(key: RoutingKey, calls: State<Calls>) {
        calls.add(&key);
        if key == "k5.hang" {
            std::future::pending::<()>().await;
        }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        for _ in 0..8 {
            bus.react("k5.hang", &()).await.unwrap();
        }
        bus.react("k5.last", &()).await.unwrap();
        calls.until(9).await;
        bus.settled().await.unwrap();
        let stats = bus.stats().handlers.remove(0);
        assert_eq!((stats.handled, stats.failed, stats.dead_lettered), (1, 8, 8));
        bus.shutdown().await;
    }
}

pub(crate) mod k6_a_panic_is_an_error {
    use super::*;

    #[react("k6.*", retry = "none")]
    async fn panics(key: RoutingKey, calls: State<Calls>) {
        assert!(key != "k6.bad", "this one is bad");
        calls.add(key);
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        bus.react("k6.bad", &()).await.unwrap();
        bus.react("k6.good", &()).await.unwrap();
        calls.until(1).await;
        bus.settled().await.unwrap();
        let dead = bus.plan().queues[0].dead.clone();
        bus.shutdown().await;
        let letters = arena.take(dead.trim_start_matches(arena.name("").as_str())).await;
        assert_eq!(letters.len(), 1);
        let error = letters[0].headers.text("bus-error").unwrap();
        let place =
            error.strip_prefix("panicked at ").and_then(|rest| rest.strip_suffix(": this one is bad"));
        let (file, line) = place.and_then(|place| place.rsplit_once(':')).expect(error);
        assert!(file.ends_with("settle.rs") && line.parse::<u32>().is_ok(), "{error}");
        assert_eq!(letters[0].headers.text("bus-error-type"), Some("panic"));
    }
}

pub(crate) mod ack_on_receive_is_at_most_once {
    use super::*;

    #[react("receive.#", ack = "on_receive")]
    async fn fails(calls: State<Calls>) -> Result<(), String> {
        calls.add("called");
        Err("nobody will know".to_owned())
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        bus.react("receive.this", &()).await.unwrap();
        calls.until(1).await;
        bus.settled().await.unwrap();
        let stats = bus.stats().handlers.remove(0);
        assert_eq!((stats.called, stats.discarded, stats.dead_lettered, stats.retried), (1, 1, 0, 0));
        bus.shutdown().await;
    }
}

pub(crate) mod a_filtered_message_is_acknowledged {
    use super::*;
    use bus_runtime::Metadata;

    fn is_german(metadata: &Metadata) -> bool {
        metadata.headers().text("language") == Some("de")
    }

    #[react("filter.#", when = is_german)]
    async fn german(key: RoutingKey, calls: State<Calls>) {
        calls.add(key);
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        bus.react("filter.en", &()).header("language", "en").await.unwrap();
        bus.react("filter.de", &()).header("language", "de").await.unwrap();
        calls.until(1).await;
        bus.settled().await.unwrap();
        assert_eq!(calls.all(), ["filter.de"]);
        let stats = bus.stats().handlers.remove(0);
        assert_eq!((stats.filtered, stats.handled, stats.dead_lettered), (1, 1, 0));
        bus.shutdown().await;
    }
}

pub(crate) mod q1_no_more_than_the_concurrency {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Default)]
    struct Gauge {
        now: AtomicUsize,
        most: AtomicUsize,
    }

    #[react("q1.#", concurrency = 3)]
    async fn busy(gauge: State<Gauge>, calls: State<Calls>) {
        let now = gauge.now.fetch_add(1, Ordering::SeqCst) + 1;
        gauge.most.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(20)).await;
        gauge.now.fetch_sub(1, Ordering::SeqCst);
        calls.add(gauge.most.load(Ordering::SeqCst));
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone()).state(Gauge::default());
        let bus = app.start().await.unwrap();
        for _ in 0..12 {
            bus.react("q1.x", &()).await.unwrap();
        }
        calls.until(12).await;
        assert_eq!(calls.all().iter().max().map(String::as_str), Some("3"));
        bus.shutdown().await;
    }
}

pub(crate) mod q1_no_more_than_the_concurrency_after_early_acks {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[derive(Default)]
    struct Gauge {
        now: AtomicUsize,
        most: AtomicUsize,
    }

    impl Gauge {
        async fn busy(&self, calls: &Calls) {
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            self.most.fetch_max(now, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.now.fetch_sub(1, Ordering::SeqCst);
            calls.add(self.most.load(Ordering::SeqCst));
        }
    }

    /// The broker's prefetch has room as soon as a message is acknowledged; the worker's slots have not.
    #[react("q1.received", concurrency = 3, prefetch = 3, ack = "on_receive")]
    async fn received(gauge: State<Gauge>, calls: State<Calls>) {
        gauge.busy(&calls).await;
    }

    #[react("q1.settled", concurrency = 3, prefetch = 3)]
    async fn settled(settle: Settle, gauge: State<Gauge>, calls: State<Calls>) -> Result<(), BoxError> {
        settle.ack().await?;
        gauge.busy(&calls).await;
        Ok(())
    }

    pub(crate) async fn run(arena: Arena) {
        for key in ["q1.received", "q1.settled"] {
            let calls = Calls::default();
            let app = arena.app(module_path!()).state(calls.clone()).state(Gauge::default());
            let bus = app.start().await.unwrap();
            for _ in 0..12 {
                bus.react(key, &()).await.unwrap();
            }
            calls.until(12).await;
            assert_eq!(calls.all().iter().max().map(String::as_str), Some("3"), "{key}");
            bus.shutdown().await;
        }
    }
}

pub(crate) mod concurrency_one_keeps_the_order {
    use super::*;

    #[react("order.#", concurrency = 1)]
    async fn ordered(number: Json<u32>, calls: State<Calls>) {
        if number.0.is_multiple_of(3) {
            tokio::task::yield_now().await;
        }
        calls.add(number.0);
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        for number in 0..50 {
            bus.react("order.x", &number).await.unwrap();
        }
        calls.until(50).await;
        let wanted: Vec<_> = (0..50).map(|number| number.to_string()).collect();
        assert_eq!(calls.all(), wanted);
        bus.shutdown().await;
    }
}

pub(crate) mod l4_a_hook_that_fails_calls_nobody {
    use super::*;
    use std::sync::{Mutex, PoisonError};

    use bus_runtime::{HandlerError, Metadata};

    /// The queues that the hook was called for: both brokers are tested in this process.
    static HOOKED: Mutex<Vec<String>> = Mutex::new(Vec::new());

    fn hook(_error: &HandlerError, message: &Metadata) {
        HOOKED.lock().unwrap_or_else(PoisonError::into_inner).push(message.queue().to_string());
        panic!("the hook failed too");
    }

    #[react("l4.#", retry(max = 1, initial = "50ms"), error_hook = hook)]
    async fn fails(calls: State<Calls>) -> Result<(), String> {
        calls.add("called");
        Err("the handler failed".to_owned())
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        let (queue, dead) = (bus.plan().queues[0].name.to_string(), bus.plan().queues[0].dead.to_string());
        let dead = dead.trim_start_matches(arena.name("").as_str());
        bus.react("l4.x", &()).await.unwrap();
        arena.until_ready(dead, 1).await;
        assert_eq!(calls.count(), 2);
        assert_eq!(arena.take(dead).await[0].headers.text("bus-error"), Some("the handler failed"));
        let hooked = HOOKED.lock().unwrap_or_else(PoisonError::into_inner).clone();
        assert_eq!(hooked.iter().filter(|one| **one == queue).count(), 2, "once for each attempt");
        bus.shutdown().await;
    }
}
