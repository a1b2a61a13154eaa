//! Which queues and bindings the attributes make.

use bus_runtime::prelude::*;
use bus_tests::arena::{Arena, Calls};

pub(crate) mod d1_stacked_attributes_are_one_queue {
    use super::*;

    #[react("d1.a.#", "d1.*.b")]
    #[react("d1.a.b")]
    async fn stacked(key: RoutingKey, calls: State<Calls>) {
        calls.add(key);
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        assert_eq!(bus.plan().queues.len(), 1);
        assert_eq!(bus.plan().handlers[0].keys.len(), 3);
        // All three keys match the first message, and it comes once.
        for key in ["d1.a.b", "d1.c.b", "d1.a", "d1.c"] {
            bus.react(key, &()).await.unwrap();
        }
        calls.until(3).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        assert_eq!(all, ["d1.a", "d1.a.b", "d1.c.b"]);
        bus.shutdown().await;
    }
}

pub(crate) mod d2_audit_and_react_are_two_queues {
    use super::*;
    use bus_runtime::Metadata;

    #[audit("d2.#")]
    #[react("d2.#")]
    async fn both(metadata: Metadata, calls: State<Calls>) {
        calls.add(metadata.queue().rsplit('.').next().unwrap_or_default());
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        bus.audit("d2.x", &()).await.unwrap();
        calls.until(1).await;
        bus.react("d2.x", &()).await.unwrap();
        calls.until(2).await;
        bus.settled().await.unwrap();
        assert_eq!(calls.all(), ["audit", "react"]);
        bus.shutdown().await;
    }
}

pub(crate) mod fanout_gives_each_worker_a_copy {
    use super::*;
    use bus_runtime::Attempt;

    #[react("fanout.#", fanout = "each", retry(max = 1, initial = "50ms"))]
    async fn each(attempt: Attempt, key: RoutingKey, calls: State<Calls>) -> Result<(), String> {
        calls.add(format!("{key} {attempt}"));
        if key == "fanout.bad" && attempt == Attempt(1) { Err("not yet".to_owned()) } else { Ok(()) }
    }

    pub(crate) async fn run(arena: Arena) {
        let (ours, theirs) = (Calls::default(), Calls::default());
        let first = arena.app(module_path!()).state(ours.clone()).start().await.unwrap();
        let second = arena.app(module_path!()).state(theirs.clone()).start().await.unwrap();
        assert_ne!(first.plan().queues[0].name, second.plan().queues[0].name);
        assert_eq!(first.plan().queues[0].dead, second.plan().queues[0].dead);
        first.react("fanout.good", &()).await.unwrap();
        ours.until(1).await;
        theirs.until(1).await;
        first.react("fanout.bad", &()).await.unwrap();
        ours.until(3).await;
        theirs.until(3).await;
        assert_eq!(ours.all(), ["fanout.good 1", "fanout.bad 1", "fanout.bad 2"]);
        assert_eq!(theirs.all(), ours.all());
        first.shutdown().await;
        second.shutdown().await;
    }
}

pub(crate) mod t3_wildcards_in_a_routing_key_are_literal {
    use super::*;

    #[react("t3.user")]
    async fn exact(calls: State<Calls>) {
        calls.add("exact");
    }

    #[react("t3.*")]
    async fn any(key: RoutingKey, calls: State<Calls>) {
        calls.add(key);
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        for key in ["t3.#", "t3.*", "t3.user.created"] {
            bus.react(key, &()).await.unwrap();
        }
        calls.until(2).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        assert_eq!(all, ["t3.#", "t3.*"]);
        bus.shutdown().await;
    }
}
