//! Several handlers on one queue.

use bus_runtime::prelude::*;
use bus_tests::arena::{Arena, Calls};

pub(crate) mod every_member_that_matches_is_called {
    use super::*;

    #[react("group.a", queue = "group.shared")]
    async fn one(calls: State<Calls>) {
        calls.add("one");
    }

    #[react("group.*", queue = "group.shared")]
    async fn two(calls: State<Calls>) {
        calls.add("two");
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        assert_eq!(bus.plan().queues.len(), 1);
        bus.react("group.a", &()).await.unwrap();
        calls.until(2).await;
        bus.react("group.b", &()).await.unwrap();
        calls.until(3).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        assert_eq!(all, ["one", "two", "two"]);
        bus.shutdown().await;
    }
}

pub(crate) mod l1_priorities_are_strict {
    use super::*;

    #[react("tier.#", queue = "tier.shared", priority = 1)]
    async fn second(calls: State<Calls>) {
        calls.add("second");
    }

    #[react("tier.#", queue = "tier.shared", priority = 10)]
    async fn first(calls: State<Calls>) {
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        calls.add("first");
    }

    #[react("tier.#", queue = "tier.shared", priority = -1)]
    async fn third(calls: State<Calls>) {
        calls.add("third");
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        bus.react("tier.x", &()).await.unwrap();
        calls.until(3).await;
        assert_eq!(calls.all(), ["first", "second", "third"]);
        bus.shutdown().await;
    }
}

pub(crate) mod only_the_failed_member_is_retried {
    use super::*;
    use bus_runtime::Attempt;

    #[react("member.#", queue = "member.shared", retry(max = 2, initial = "50ms"))]
    async fn fails(attempt: Attempt, calls: State<Calls>) -> Result<(), String> {
        calls.add(format!("fails {attempt}"));
        if attempt.0 < 3 { Err("not yet".to_owned()) } else { Ok(()) }
    }

    #[react("member.#", queue = "member.shared")]
    async fn succeeds(attempt: Attempt, calls: State<Calls>) {
        calls.add(format!("succeeds {attempt}"));
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        bus.react("member.x", &()).await.unwrap();
        calls.until(4).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        assert_eq!(all, ["fails 1", "fails 2", "fails 3", "succeeds 1"]);
        bus.shutdown().await;
    }
}
