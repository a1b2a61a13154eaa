//! Handlers at their worst, many at once, on both brokers: the queue goes on, and so do the others.

use std::time::{Duration, Instant};

use bus_runtime::prelude::*;
use bus_runtime::{Bus, HandlerStats};
use bus_tests::arena::{Arena, Calls, until};

pub(crate) async fn arenas() -> Vec<Arena> {
    let mut arenas = vec![Arena::embedded()];
    arenas.extend(bus_tests::arena::rabbitmq().await);
    arenas
}

fn stats(bus: &Bus, handler: &str) -> HandlerStats {
    let stats = bus.stats().handlers;
    stats.into_iter().find(|stats| stats.name.ends_with(handler)).unwrap()
}

mod k5 {
    use super::*;

    #[react("k5.#", concurrency = 1000, prefetch = 1000, timeout = "1s", retry = "none")]
    async fn at_worst(key: RoutingKey, calls: State<Calls>) {
        match key.as_str() {
            "k5.hangs" => std::future::pending().await,
            "k5.panics" => panic!("as ordered"),
            _ => calls.add(key),
        }
    }

    pub(super) const MODULE: &str = module_path!();
}

/// A thousand handlers that time out with a prefetch of a thousand do not stop the queue, nor do a thousand panics.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn k5_a_thousand_timeouts_and_panics_do_not_stop_the_queue() {
    for arena in arenas().await {
        let calls = Calls::default();
        let bus = arena.app(k5::MODULE).state(calls.clone()).start().await.unwrap();
        for key in ["k5.hangs", "k5.panics"] {
            let publishes = (0..1_000).map(|_| async { bus.react(key, &()).await.unwrap() });
            futures_util::future::join_all(publishes).await;
        }
        bus.react("k5.good", &()).await.unwrap();
        calls.until(1).await;
        until("all have failed", || stats(&bus, "at_worst").dead_lettered == 2_000).await;
        let stats = stats(&bus, "at_worst");
        assert_eq!((stats.handled, stats.failed), (1, 2_000));
        let queue = bus.plan().queues[0].dead.to_string();
        let dead = queue.strip_prefix(arena.name("").as_str()).unwrap();
        arena.until_ready(dead, 2_000).await;
        assert!(bus.shutdown().await.is_clean());
    }
}

mod q2 {
    use super::*;

    #[react("q2.slow", concurrency = 2, timeout = "none")]
    async fn slow() {
        std::future::pending::<()>().await;
    }

    #[react("q2.fast", concurrency = 1)]
    async fn fast(calls: State<Calls>) {
        calls.add("fast");
    }

    pub(super) const MODULE: &str = module_path!();
}

/// A handler that hangs, with many messages behind it, does not starve another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q2_a_slow_handler_does_not_starve_another() {
    for arena in arenas().await {
        let calls = Calls::default();
        let app = arena.app(q2::MODULE).state(calls.clone()).grace(Duration::ZERO);
        let bus = app.start().await.unwrap();
        for _ in 0..50 {
            bus.react("q2.slow", &()).await.unwrap();
        }
        for _ in 0..200 {
            bus.react("q2.fast", &()).await.unwrap();
        }
        calls.until(200).await;
        assert_eq!(stats(&bus, "slow").called, 2);
        assert_eq!(bus.shutdown().await.interrupted, 2);
    }
}

mod q4 {
    use super::*;

    #[react("q4.busy", concurrency = 1)]
    async fn busy(calls: State<Calls>) {
        tokio::time::sleep(Duration::from_millis(100)).await;
        calls.add("busy");
    }

    #[react("q4.idle", concurrency = 1)]
    async fn idle(calls: State<Calls>) {
        calls.add("idle");
    }

    pub(super) const MODULE: &str = module_path!();
}

/// Four messages wait for the only slot, each for as long as the one before it takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn q4_waiting_for_a_slot_is_measured() {
    for arena in arenas().await {
        let calls = Calls::default();
        let bus = arena.app(q4::MODULE).state(calls.clone()).start().await.unwrap();
        let started = Instant::now();
        bus.react("q4.idle", &()).await.unwrap();
        for _ in 0..5 {
            bus.react("q4.busy", &()).await.unwrap();
        }
        calls.until(6).await;
        let waited = stats(&bus, "busy").slot_wait;
        assert!(waited >= Duration::from_millis(250) && waited <= started.elapsed(), "{waited:?}");
        assert_eq!(stats(&bus, "idle").slot_wait, Duration::ZERO);
        bus.shutdown().await;
    }
}

mod stuck {
    use super::*;

    /// Whether plain functions may return.
    #[derive(Clone, Default)]
    pub(super) struct Gate(std::sync::Arc<std::sync::atomic::AtomicBool>);

    impl Gate {
        pub(super) fn open(&self) {
            self.0.store(true, std::sync::atomic::Ordering::SeqCst);
        }

        fn is_open(&self) -> bool {
            self.0.load(std::sync::atomic::Ordering::SeqCst)
        }
    }

    #[react("stuck.plain", concurrency = 2, timeout = "200ms", retry = "none")]
    fn plain(gate: State<Gate>) {
        while !gate.is_open() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[react("stuck.other")]
    fn other(calls: State<Calls>) {
        calls.add("other");
    }

    pub(super) const MODULE: &str = module_path!();
}

/// A plain function that has timed out keeps its slot until it returns, is reported, and takes no more than its own slots.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stuck_functions_keep_their_slots() {
    for arena in arenas().await {
        let (calls, gate) = (Calls::default(), stuck::Gate::default());
        let app = arena.app(stuck::MODULE).state(calls.clone()).state(gate.clone());
        let bus = app.start().await.unwrap();
        for _ in 0..4 {
            bus.react("stuck.plain", &()).await.unwrap();
        }
        until("two have timed out", || stats(&bus, "plain").dead_lettered == 2).await;
        bus.react("stuck.other", &()).await.unwrap();
        calls.until(1).await;
        let now = stats(&bus, "plain");
        assert_eq!((now.called, now.stuck), (2, 2), "the others do not begin");
        gate.open();
        until("the others are handled", || stats(&bus, "plain").handled == 2).await;
        until("nothing is stuck", || stats(&bus, "plain").stuck == 0).await;
        bus.shutdown().await;
    }
}
