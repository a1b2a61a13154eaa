//! Messages with an idempotency key: what a handler has done, it does not do again.

use bus_runtime::prelude::*;
use bus_runtime::{Attempt, MemoryStore};
use bus_tests::arena::{Arena, Calls};

pub(crate) mod a_key_is_handled_once_by_each_handler {
    use super::*;

    #[react("once.#", concurrency = 8)]
    async fn one(number: Json<u32>, calls: State<Calls>) {
        calls.add(format!("one {}", number.0));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    #[react("once.#", batch(size = 4, wait = "50ms"))]
    async fn other(numbers: Vec<Json<u32>>, calls: State<Calls>) {
        numbers.iter().for_each(|number| calls.add(format!("other {}", number.0)));
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone()).idempotency(MemoryStore::new());
        let bus = app.start().await.unwrap();
        // Side by side: some wait for the one that is being handled.
        for number in [1, 1, 2, 1, 2] {
            bus.react("once.x", &number).idempotency_key(format!("order-{number}")).await.unwrap();
        }
        calls.until(4).await;
        bus.settled().await.unwrap();
        // And later.
        bus.react("once.x", &1).idempotency_key("order-1").await.unwrap();
        bus.react("once.x", &1).await.unwrap();
        calls.until(6).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        assert_eq!(all, ["one 1", "one 1", "one 2", "other 1", "other 1", "other 2"]);
        for handler in bus.stats().handlers {
            assert_eq!(
                (handler.handled, handler.duplicates, handler.dead_lettered),
                (3, 4, 0),
                "{handler:?}"
            );
        }
        bus.shutdown().await;
    }
}

pub(crate) mod a_failed_attempt_releases_the_key {
    use super::*;

    #[react("release.#", retry(max = 1, initial = "50ms"))]
    async fn fails_once(what: Json<String>, attempt: Attempt, calls: State<Calls>) -> Result<(), String> {
        calls.add(format!("{} {attempt}", what.0));
        match (what.as_str(), attempt.0) {
            ("never", _) | (_, 1) => Err("not yet".to_owned()),
            _ => Ok(()),
        }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone()).idempotency(MemoryStore::new());
        let bus = app.start().await.unwrap();
        let publish = |what: &'static str| bus.react("release.x", what).idempotency_key(what);
        publish("later").await.unwrap();
        calls.until(2).await;
        bus.settled().await.unwrap();
        publish("later").await.unwrap();
        // What has gone to the dead letters has not been handled: another message with its key is.
        let dead = bus.plan().queues[0].dead.trim_start_matches(arena.name("").as_str()).to_owned();
        for letters in 1..=2 {
            publish("never").await.unwrap();
            arena.until_ready(&dead, letters).await;
        }
        bus.settled().await.unwrap();
        assert_eq!(calls.all(), ["later 1", "later 2", "never 1", "never 2", "never 1", "never 2"]);
        assert_eq!(bus.stats().handlers[0].duplicates, 1);
        bus.shutdown().await;
    }
}

pub(crate) mod an_interrupted_handler_releases_the_key {
    use super::*;

    #[react("interrupted.#", timeout = "none")]
    async fn hangs(worker: State<&'static str>, calls: State<Calls>) {
        calls.add(*worker);
        if *worker == "first" {
            std::future::pending::<()>().await;
        }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let store = std::sync::Arc::new(MemoryStore::new());
        let app = |name: &'static str| {
            let app = arena.app(module_path!()).state(calls.clone()).state(name);
            app.grace(Duration::ZERO).idempotency(std::sync::Arc::clone(&store))
        };
        let bus = app("first").start().await.unwrap();
        bus.react("interrupted.x", &()).idempotency_key("k").await.unwrap();
        calls.until(1).await;
        assert_eq!(bus.shutdown().await.interrupted, 1);
        let bus = app("second").start().await.unwrap();
        calls.until(2).await;
        assert_eq!(calls.all(), ["first", "second"]);
        bus.shutdown().await;
    }
}
