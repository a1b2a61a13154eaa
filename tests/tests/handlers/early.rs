//! Messages that are acknowledged before their handler has ended: `Settle` and `ack = "manual"`.

use bus_runtime::{Attempt, prelude::*};
use bus_tests::arena::{Arena, Calls, until};
use std::time::Duration;

/// The name of the queue of dead letters, as the arena calls it.
fn dead(arena: &Arena, bus: &bus_runtime::Bus) -> String {
    bus.plan().queues[0].dead.trim_start_matches(arena.name("").as_str()).to_owned()
}

pub(crate) mod k3_after_ack_the_handler_goes_on {
    use super::*;
    use bus_runtime::HandlerError;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[event("k3.trace", terminal)]
    struct Trace(String);

    /// What is published before the acknowledgement is sent with it; what is published after a failure is not.
    #[react("k3.*", retry(max = 1, initial = "50ms"))]
    async fn handler(
        key: RoutingKey,
        settle: Settle,
        bus: Publisher,
        calls: State<Calls>,
    ) -> Result<(), HandlerError> {
        bus.publish(&Trace(format!("before {key}"))).await?;
        match key.as_str() {
            "k3.reject" => Err(reject("no use"))?,
            "k3.retry" => Err(retry())?,
            "k3.nack" if calls.all().iter().filter(|call| *call == "nack").count() < 2 => {
                calls.add("nack");
                Err(nack())?;
            }
            _ => settle.ack().await?,
        }
        calls.add(format!("on {key}"));
        bus.publish(&Trace(format!("after {key}"))).await?;
        match key.as_str() {
            "k3.error" => Err(HandlerError::new("too late")),
            "k3.panic" => panic!("too late"),
            _ => Ok(()),
        }
    }

    #[message_handler(Trace)]
    async fn trace(Trace(text): Trace, calls: State<Calls>) {
        calls.add(text);
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        for key in ["ack", "error", "panic", "reject", "retry", "nack"] {
            bus.react(format!("k3.{key}"), &()).await.unwrap();
        }
        let queues = &bus.plan().queues;
        let queue = queues.iter().find(|queue| queue.name.contains("handler")).unwrap().clone();
        let letters = queue.dead.trim_start_matches(arena.name("").as_str()).to_owned();
        arena.until_ready(&letters, 2).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        assert_eq!(
            all,
            [
                "after k3.ack",
                "after k3.nack",
                "before k3.ack",
                "before k3.error",
                "before k3.nack",
                "before k3.panic",
                "nack",
                "nack",
                "on k3.ack",
                "on k3.error",
                "on k3.nack",
                "on k3.panic",
            ]
        );
        let stats = bus.stats().handlers;
        let stats = stats.iter().find(|handler| handler.name.ends_with("handler")).unwrap();
        assert_eq!((stats.called, stats.handled, stats.discarded, stats.requeued), (9, 2, 2, 2));
        assert_eq!((stats.retried, stats.dead_lettered, stats.published), (1, 2, 6));
        let mut reasons: Vec<_> = arena
            .take(&letters)
            .await
            .iter()
            .map(|letter| letter.headers.text("bus-routing-key").unwrap_or_default().to_owned())
            .collect();
        reasons.sort();
        assert_eq!(reasons, ["k3.reject", "k3.retry"]);
        bus.shutdown().await;
        // Nothing came back with the end of the connection.
        assert_eq!(arena.ready(queue.name.trim_start_matches(arena.name("").as_str())).await, 0);
    }
}

pub(crate) mod an_early_ack_is_one_at_once {
    use super::*;

    /// It is acknowledged, and goes on for longer than the app lives.
    #[react("early.#", concurrency = 1, prefetch = 1)]
    async fn early(settle: Settle, calls: State<Calls>) -> Result<(), BoxError> {
        settle.ack().await?;
        calls.add("acknowledged");
        std::future::pending().await
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone()).grace(Duration::from_millis(100));
        let bus = app.start().await.unwrap();
        let queue = bus.plan().queues[0].name.trim_start_matches(arena.name("").as_str()).to_owned();
        bus.react("early.one", &()).await.unwrap();
        calls.until(1).await;
        let drained = bus.shutdown().await;
        assert_eq!(drained.interrupted, 1);
        assert_eq!(arena.ready(&queue).await, 0, "the message is gone, although its handler never ended");
    }
}

pub(crate) mod manual_is_said_or_it_has_failed {
    use super::*;

    #[react("manual.*", ack = "manual", retry(max = 1, initial = "50ms"))]
    async fn manual(
        key: RoutingKey,
        attempt: Attempt,
        settle: Settle,
        calls: State<Calls>,
    ) -> Result<(), bus_runtime::HandlerError> {
        calls.add(format!("{key} {attempt}"));
        match key.as_str() {
            "manual.early" => settle.ack().await?,
            "manual.outcome" => Err(ack())?,
            "manual.second" if attempt == Attempt(2) => settle.ack().await?,
            _ => {}
        }
        Ok(())
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        for key in ["early", "outcome", "second", "silent"] {
            bus.react(format!("manual.{key}"), &()).await.unwrap();
        }
        let dead = dead(&arena, &bus);
        arena.until_ready(&dead, 1).await;
        calls.until(6).await;
        bus.settled().await.unwrap();
        let stats = bus.stats().handlers.remove(0);
        assert_eq!((stats.called, stats.handled, stats.failed, stats.dead_lettered), (6, 3, 3, 1));
        let letters = arena.take(&dead).await;
        assert_eq!(letters[0].headers.text("bus-routing-key"), Some("manual.silent"));
        assert!(letters[0].headers.text("bus-error").unwrap().contains("without acknowledging"));
        bus.shutdown().await;
    }
}

pub(crate) mod a_shared_message_goes_with_its_last_call {
    use super::*;
    use tokio::sync::Semaphore;

    #[react("shared.#", queue = "early-shared")]
    async fn first(settle: Settle, calls: State<Calls>, gate: State<Semaphore>) -> Result<(), BoxError> {
        settle.ack().await?;
        calls.add("first");
        gate.acquire().await?.forget();
        Ok(())
    }

    /// It fails at its first attempt, and it alone is called again.
    #[react("shared.#", queue = "early-shared", retry(max = 1, initial = "50ms"))]
    async fn second(attempt: Attempt, calls: State<Calls>) -> Result<(), BoxError> {
        calls.add(format!("second {attempt}"));
        if attempt == Attempt(1) { Err("once".into()) } else { Ok(()) }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone()).state(Semaphore::new(0));
        let app = app.grace(Duration::from_millis(100));
        let bus = app.start().await.unwrap();
        bus.react("shared.one", &()).await.unwrap();
        calls.until(2).await;
        // `second` has failed, and its copy waits for `first`: the message is not acknowledged by one of the two alone.
        assert_eq!(calls.count(), 2);
        assert_eq!(bus.shutdown().await.interrupted, 1);
        arena.until_ready("early-shared", 1).await;

        let app = arena.app(module_path!()).state(calls.clone()).state(Semaphore::new(1));
        let bus = app.start().await.unwrap();
        until("second has succeeded", || calls.all().contains(&"second 2".to_owned())).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        assert_eq!(all, ["first", "first", "second 1", "second 1", "second 2"]);
        bus.shutdown().await;
        assert_eq!(arena.ready("early-shared").await, 0);
    }
}
