//! Handlers that rest: breakers, pauses, and the pace of a rate limit.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bus_runtime::{BreakerState, Bus, HandlerError, HandlerStats, prelude::*};
use bus_tests::arena::{Arena, Calls, until};

/// Whether what the handlers depend on works.
#[derive(Clone, Default)]
struct Depends(Arc<AtomicBool>);

impl Depends {
    fn works(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    fn work(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// What one handler has done.
fn stats(bus: &Bus, name: &str) -> HandlerStats {
    let all = bus.stats().handlers;
    all.into_iter().find(|handler| handler.name.ends_with(name)).expect("a handler of that name")
}

/// The name of a handler's queue, as the arena calls it.
fn queue(arena: &Arena, bus: &Bus, name: &str) -> String {
    let queue = bus.plan().queues.iter().find(|queue| queue.members[0].name.ends_with(name));
    queue.expect("a queue of that name").name.trim_start_matches(arena.name("").as_str()).to_owned()
}

pub(crate) mod l6_a_breaker_opens_and_closes {
    use super::*;

    #[react(
        "l6.#",
        breaker(failures = 3, window = "1m", pause = "1s", successes = 2),
        on_error = "dead_letter",
        concurrency = 1
    )]
    async fn fragile(depends: State<Depends>) -> Result<(), String> {
        if depends.works() { Ok(()) } else { Err("away".to_owned()) }
    }

    #[react("l6.#")]
    async fn sturdy() {}

    pub(crate) async fn run(arena: Arena) {
        let depends = Depends::default();
        let bus = arena.app(module_path!()).state(depends.clone()).start().await.unwrap();
        for _ in 0..9 {
            bus.react("l6.x", &()).await.unwrap();
        }
        let fragile = queue(&arena, &bus, "fragile");
        until("the breaker is open", || stats(&bus, "fragile").breaker == BreakerState::Open).await;
        until("the other handler has all", || stats(&bus, "sturdy").handled == 9).await;
        // It is tried with one message at a time, which fails.
        until("three have failed together, then one each time", || {
            let seen = stats(&bus, "fragile");
            seen.breaker_opened >= 2 && seen.called == 2 + seen.breaker_opened
        })
        .await;
        // The others stay in the broker: nobody consumes them.
        let waits = async {
            while arena.ready(&fragile).await + stats(&bus, "fragile").called != 9 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waits).await.expect("what is not tried is ready");

        depends.work();
        until("it has had all", || stats(&bus, "fragile").called == 9).await;
        until("it is closed", || stats(&bus, "fragile").breaker == BreakerState::Closed).await;
        bus.settled().await.unwrap();
        let seen = stats(&bus, "fragile");
        assert_eq!((seen.called, seen.handled + seen.dead_lettered), (9, 9));
        assert_eq!(seen.dead_lettered, 2 + seen.breaker_opened);
        assert_eq!(stats(&bus, "sturdy").breaker_opened, 0);
        // It works as before: what comes now is handled at once.
        bus.react("l6.last", &()).await.unwrap();
        until("the last is handled", || stats(&bus, "fragile").called == 10).await;
        bus.shutdown().await;
        assert_eq!(arena.ready(&fragile).await, 0);
    }
}

pub(crate) mod l6_a_shared_queue_rests_as_a_whole {
    use super::*;

    #[react("l6shared.#", queue = "l6-shared", breaker(failures = 1, pause = "1h"), on_error = "discard")]
    async fn fails() -> Result<(), String> {
        Err("away".to_owned())
    }

    #[react("l6shared.#", queue = "l6-shared", concurrency = 1)]
    async fn works() {}

    pub(crate) async fn run(arena: Arena) {
        let bus = arena.app(module_path!()).start().await.unwrap();
        bus.react("l6shared.one", &()).await.unwrap();
        until("the breaker is open", || stats(&bus, "fails").breaker == BreakerState::Open).await;
        until("the other is done", || stats(&bus, "works").handled == 1).await;
        bus.settled().await.unwrap();
        bus.react("l6shared.two", &()).await.unwrap();
        arena.until_ready("l6-shared", 1).await;
        assert_eq!((stats(&bus, "works").called, stats(&bus, "fails").called), (1, 1));
        assert_eq!(stats(&bus, "works").breaker, BreakerState::Closed);
        // It does its work, and somebody should look.
        let health = bus.health();
        assert_eq!((health.status, health.is_ready()), (bus_runtime::Status::Degraded, true), "{health:?}");
        assert!(health.problems[0].contains("rests: the breaker of"), "{health:?}");
        // A worker that rests stops at once, and leaves the message where it is.
        let began = Instant::now();
        let drained = bus.shutdown().await;
        assert_eq!(drained.interrupted, 0);
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        assert_eq!(arena.ready("l6-shared").await, 1);
    }
}

pub(crate) mod an_error_pauses_its_handler {
    use super::*;
    use serde::{Deserialize, Serialize};

    #[derive(Debug, thiserror::Error, HandlerError)]
    enum MailError {
        #[error("the mail server is away")]
        #[pause("700ms")]
        Away,
    }

    #[react("pause.#", retry = "none", concurrency = 1)]
    async fn mail(key: RoutingKey, depends: State<Depends>, calls: State<Calls>) -> Result<(), MailError> {
        calls.add(&key);
        if depends.works() { Ok(()) } else { Err(MailError::Away) }
    }

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("pause.command")]
    struct Send;

    #[message_handler(Send, retry(max = 3))]
    async fn send(_command: Send) -> Result<(), MailError> {
        Err(MailError::Away)
    }

    pub(crate) async fn run(arena: Arena) {
        let (calls, depends) = (Calls::default(), Depends::default());
        let app = arena.app(module_path!()).state(calls.clone()).state(depends.clone());
        let bus = app.start().await.unwrap();
        let began = Instant::now();
        bus.react("pause.one", &()).await.unwrap();
        until("it rests", || stats(&bus, "::mail").breaker_opened == 1).await;
        depends.work();
        bus.react("pause.two", &()).await.unwrap();
        until("both are handled", || stats(&bus, "::mail").handled == 2).await;
        assert!(began.elapsed() >= Duration::from_millis(700), "{:?}", began.elapsed());
        bus.settled().await.unwrap();
        let seen = stats(&bus, "::mail");
        // Without retries, and yet the message was handled: a pause is no attempt.
        assert_eq!((seen.handled, seen.retried, seen.dead_lettered), (2, 0, 0));
        assert_eq!((seen.breaker, seen.requeued), (BreakerState::Closed, seen.breaker_opened));

        // A command is answered: whoever waits for it would wait in vain.
        let error = bus.execute(Send).await.unwrap_err();
        let failure = bus_runtime::CommandFailure::of(&error).expect("it was answered");
        assert_eq!(failure.error(), "the mail server is away");
        until("it rests", || stats(&bus, "::send").breaker_opened == 1).await;
        bus.shutdown().await;
    }
}

pub(crate) mod a_rate_limit_delays_and_never_drops {
    use super::*;

    #[react("pace.#", rate_limit = "20/s", concurrency = 8)]
    async fn paced(calls: State<Calls>) {
        calls.add("paced");
    }

    #[react("pace.#", rate_limit = "2/m")]
    async fn slow() {}

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        let slow = queue(&arena, &bus, "::slow");
        let began = Instant::now();
        for _ in 0..11 {
            bus.react("pace.x", &()).await.unwrap();
        }
        calls.until(11).await;
        // Ten steps of 50 ms, but for what may be caught up.
        assert!(began.elapsed() >= Duration::from_millis(450), "{:?}", began.elapsed());
        let seen = stats(&bus, "::paced");
        until("all are handled", || stats(&bus, "::paced").handled == 11).await;
        assert_eq!((seen.called, seen.failed, seen.dead_lettered), (11, 0, 0));
        // Two in a minute: one is handled, two are fetched ahead, and the others wait where another process can take them.
        assert_eq!(stats(&bus, "::slow").called, 1);
        arena.until_ready(&slow, 8).await;
        bus.shutdown().await;
    }
}
