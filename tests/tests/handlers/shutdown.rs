//! What happens to messages when the app stops.

use std::time::Duration;

use bus_runtime::prelude::*;
use bus_runtime::{Attempt, Shutdown};
use bus_tests::arena::{Arena, Calls};

pub(crate) mod s1_what_has_begun_ends {
    use super::*;

    #[react("s1.#", concurrency = 1, prefetch = 10)]
    async fn slow(mut shutdown: Shutdown, calls: State<Calls>) {
        calls.add("begun");
        if calls.count() == 1 {
            shutdown.begins().await;
        }
        calls.add("ended");
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        for _ in 0..5 {
            bus.react("s1.x", &()).await.unwrap();
        }
        calls.until(1).await;
        let queue = bus.plan().queues[0].name.trim_start_matches(arena.name("").as_str()).to_owned();
        let drained = bus.shutdown().await;
        assert_eq!((drained.interrupted, drained.lost), (0, 0));
        let count = |wanted: &str| calls.all().iter().filter(|call| *call == wanted).count();
        assert_eq!(count("begun"), count("ended"));
        // Every message was handled, or waits for somebody else: none is lost.
        let handled = count("ended") as u64;
        arena.until_ready(&queue, 5 - handled).await;
    }
}

pub(crate) mod s2_what_takes_too_long_goes_back {
    use super::*;

    #[react("s2.#", timeout = "none")]
    async fn hangs(attempt: Attempt, calls: State<Calls>) {
        calls.add(attempt);
        std::future::pending::<()>().await;
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone()).grace(Duration::from_millis(200));
        let bus = app.start().await.unwrap();
        bus.react("s2.x", &()).await.unwrap();
        calls.until(1).await;
        let queue = bus.plan().queues[0].name.trim_start_matches(arena.name("").as_str()).to_owned();
        let drained = bus.shutdown().await;
        assert_eq!(drained.interrupted, 1);
        arena.until_ready(&queue, 1).await;

        // The next worker sees the first attempt again: an interruption is not the message's fault.
        let app = arena.app(module_path!()).state(calls.clone()).grace(Duration::ZERO);
        let bus = app.start().await.unwrap();
        calls.until(2).await;
        assert_eq!(calls.all(), ["1", "1"]);
        bus.shutdown().await;
    }
}

pub(crate) mod s3_what_has_not_begun_goes_back_unharmed {
    use super::*;

    /// Whether the handler hangs.
    struct Hang {
        always: bool,
    }

    #[react("s3.#", timeout = "none", concurrency = 1, prefetch = 10)]
    async fn in_turn(key: RoutingKey, attempt: Attempt, hang: State<Hang>, calls: State<Calls>) {
        calls.add(format!("{key} {attempt}"));
        if hang.always {
            std::future::pending::<()>().await;
        }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone()).state(Hang { always: true });
        let bus = app.grace(Duration::from_millis(200)).start().await.unwrap();
        for number in 0..5 {
            bus.react(format!("s3.{number}"), &()).await.unwrap();
        }
        calls.until(1).await;
        let queue = bus.plan().queues[0].name.trim_start_matches(arena.name("").as_str()).to_owned();
        assert_eq!(bus.shutdown().await.interrupted, 1);
        assert_eq!(calls.count(), 1, "four were fetched and never begun");
        arena.until_ready(&queue, 5).await;

        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone()).state(Hang { always: false });
        let bus = app.start().await.unwrap();
        calls.until(5).await;
        let mut all = calls.all();
        all.sort();
        assert_eq!(all, ["s3.0 1", "s3.1 1", "s3.2 1", "s3.3 1", "s3.4 1"]);
        bus.shutdown().await;
    }
}

pub(crate) mod s2_a_bus_that_is_dropped_lets_handlers_end {
    use super::*;

    #[react("s2drop.{what}", timeout = "none")]
    async fn handles(what: String, mut shutdown: Shutdown, calls: State<Calls>) {
        calls.add(format!("{what} begun"));
        shutdown.begins().await;
        tokio::task::yield_now().await;
        if what == "hangs" {
            std::future::pending::<()>().await;
        }
        calls.add(format!("{what} ended"));
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone()).grace(Duration::from_millis(300));
        let bus = app.start().await.unwrap();
        for what in ["ends", "hangs"] {
            bus.react(format!("s2drop.{what}"), &()).await.unwrap();
        }
        calls.until(2).await;
        let queue = bus.plan().queues[0].name.trim_start_matches(arena.name("").as_str()).to_owned();
        drop(bus);
        calls.until(3).await;
        assert!(calls.all().contains(&"ends ended".to_owned()), "{:?}", calls.all());
        // What takes longer than the grace period goes back, and nothing else does.
        arena.until_ready(&queue, 1).await;
        assert_eq!(calls.count(), 3, "nobody consumes any more: {:?}", calls.all());
        let left = arena.take(&queue).await;
        assert_eq!(left[0].routing_key.as_str(), "s2drop.hangs");
    }
}
