//! Queues that hold only so many messages, and what their publishers feel of it.

use std::sync::{Arc, Mutex};

use bus_runtime::prelude::*;
use bus_runtime::{Bus, ErrorKind, QueueLevel, WaterMark};
use bus_tests::arena::{Arena, Calls, until};
use tokio::sync::watch;

/// Keeps handlers waiting until it is opened.
#[derive(Clone)]
struct Gate(watch::Sender<bool>);

impl Gate {
    fn closed() -> Self {
        Self(watch::Sender::new(false))
    }

    fn open(&self) {
        self.0.send_replace(true);
    }

    async fn pass(&self) {
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

/// Publishes the first message and waits until the handler holds it: from now on the queue is all there is.
async fn occupy(bus: &Bus, key: &str, calls: &Calls) {
    bus.react(key, &0).await.unwrap();
    calls.until(1).await;
}

pub(crate) mod l5_drop_oldest_keeps_the_newest_in_order {
    use super::*;

    #[react("oldest.#", max_length = 3, overflow = "drop-oldest", concurrency = 1, prefetch = 1)]
    async fn slow(number: Json<u32>, gate: State<Gate>, calls: State<Calls>) {
        calls.add(number.0);
        gate.pass().await;
    }

    pub(crate) async fn run(arena: Arena) {
        let (calls, gate) = (Calls::default(), Gate::closed());
        let bus = arena.app(module_path!()).state(calls.clone()).state(gate.clone()).start().await.unwrap();
        occupy(&bus, "oldest.x", &calls).await;
        for number in 1..=10 {
            bus.react("oldest.x", &number).await.unwrap();
        }
        let dead = bus.plan().queues[0].dead.trim_start_matches(arena.name("").as_str()).to_owned();
        arena.until_ready(&dead, 7).await;
        gate.open();
        calls.until(4).await;
        bus.settled().await.unwrap();
        assert_eq!(calls.all(), ["0", "8", "9", "10"]);
        let stats = bus.stats();
        assert_eq!((stats.published, stats.refused, stats.handlers[0].handled), (11, 0, 4));
        bus.shutdown().await;
    }
}

pub(crate) mod l5_reject_new_is_an_error_for_the_publisher {
    use super::*;

    #[react("reject.#", max_length = 3, overflow = "reject-new", concurrency = 1, prefetch = 1)]
    async fn slow(number: Json<u32>, gate: State<Gate>, calls: State<Calls>) {
        calls.add(number.0);
        gate.pass().await;
    }

    pub(crate) async fn run(arena: Arena) {
        let (calls, gate) = (Calls::default(), Gate::closed());
        let bus = arena.app(module_path!()).state(calls.clone()).state(gate.clone()).start().await.unwrap();
        occupy(&bus, "reject.x", &calls).await;
        let mut accepted = vec!["0".to_owned()];
        for number in 1..=10 {
            match bus.react("reject.x", &number).await {
                Ok(()) => accepted.push(number.to_string()),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Nacked, "{error}"),
            }
        }
        // A quorum queue of RabbitMQ takes one message more than its length.
        assert!([4, 5].contains(&accepted.len()), "{accepted:?}");
        gate.open();
        bus.settled().await.unwrap();
        assert_eq!(calls.all(), accepted, "what was accepted is handled, in order, and nothing else");
        let stats = bus.stats();
        assert_eq!(stats.published + stats.refused, 11);
        assert_eq!((stats.published, stats.waited), (accepted.len() as u64, 0));
        bus.shutdown().await;
    }
}

pub(crate) mod l5_block_waits_for_room {
    use super::*;

    #[react("block.#", max_length = 2, overflow = "block", concurrency = 1, prefetch = 1)]
    async fn slow(number: Json<u32>, gate: State<Gate>, calls: State<Calls>) {
        calls.add(number.0);
        gate.pass().await;
    }

    pub(crate) async fn run(arena: Arena) {
        let (calls, gate) = (Calls::default(), Gate::closed());
        let bus = arena.app(module_path!()).state(calls.clone()).state(gate.clone()).start().await.unwrap();
        occupy(&bus, "block.x", &calls).await;
        let bus = Arc::new(bus);
        let publisher = Arc::clone(&bus);
        let publishing = tokio::spawn(async move {
            for number in 1..=10 {
                publisher.react("block.x", &number).await.unwrap();
            }
        });
        until("a publisher waits", || bus.stats().waited == 1).await;
        let published = bus.stats().published;
        assert!([3, 4].contains(&published), "{published} are there, and the next one waits");
        assert!(!publishing.is_finished());
        gate.open();
        publishing.await.unwrap();
        calls.until(11).await;
        bus.settled().await.unwrap();
        assert_eq!(calls.all(), (0..=10).map(|number| number.to_string()).collect::<Vec<_>>());
        let stats = bus.stats();
        assert_eq!((stats.published, stats.refused, stats.handlers[0].handled), (11, 0, 11));
        Arc::into_inner(bus).unwrap().shutdown().await;
    }
}

pub(crate) mod l5_block_gives_up_at_the_publish_timeout {
    use super::*;

    #[react("giveup.#", max_length = 1, overflow = "block", concurrency = 1, prefetch = 1)]
    async fn slow(number: Json<u32>, gate: State<Gate>, calls: State<Calls>) {
        calls.add(number.0);
        gate.pass().await;
    }

    pub(crate) async fn run(arena: Arena) {
        let (calls, gate) = (Calls::default(), Gate::closed());
        let mut config = arena.config();
        config.publish_timeout = Duration::from_secs(1);
        let app = arena.app(module_path!()).config(config).state(calls.clone()).state(gate.clone());
        let bus = app.start().await.unwrap();
        occupy(&bus, "giveup.x", &calls).await;
        let error = loop {
            if let Err(error) = bus.react("giveup.x", &1).await {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::Nacked);
        assert!(error.to_string().contains("was full for 1s"), "{error}");
        assert_eq!((bus.stats().refused, bus.stats().waited), (1, 1));
        gate.open();
        bus.settled().await.unwrap();
        bus.shutdown().await;
    }
}

pub(crate) mod l5_adaptive_slows_and_recovers {
    use super::*;

    #[react("adaptive.#", max_length = 10, overflow = "adaptive", concurrency = 1, prefetch = 1)]
    async fn slow(number: Json<u32>, gate: State<Gate>, calls: State<Calls>) {
        calls.add(number.0);
        gate.pass().await;
    }

    pub(crate) async fn run(arena: Arena) {
        let (calls, gate) = (Calls::default(), Gate::closed());
        let bus = arena.app(module_path!()).state(calls.clone()).state(gate.clone()).start().await.unwrap();
        occupy(&bus, "adaptive.x", &calls).await;
        let bus = Arc::new(bus);
        let publisher = Arc::clone(&bus);
        let publishing = tokio::spawn(async move {
            for number in 1..=30 {
                publisher.react("adaptive.x", &number).await.unwrap();
            }
        });
        until("the queue is full", || bus.stats().waited > 0).await;
        gate.open();
        publishing.await.unwrap();
        assert!(bus.stats().slowed > 0, "what was published after that had to wait");
        calls.until(31).await;
        // With an empty queue the pauses become shorter, until there are none.
        let mut fast = 0;
        let mut number = 31;
        let recovered = tokio::time::timeout(Duration::from_secs(60), async {
            while fast < 5 {
                let before = bus.stats().slowed;
                bus.react("adaptive.x", &number).await.unwrap();
                number += 1;
                fast = if bus.stats().slowed == before { fast + 1 } else { 0 };
                tokio::time::sleep(Duration::from_millis(60)).await;
            }
        });
        recovered.await.expect("publishers recover");
        bus.settled().await.unwrap();
        assert_eq!(calls.all(), (0..number).map(|number| number.to_string()).collect::<Vec<_>>());
        assert_eq!(bus.stats().refused, 0);
        Arc::into_inner(bus).unwrap().shutdown().await;
    }
}

pub(crate) mod l5_high_and_low_water_once_per_crossing {
    use super::*;

    #[react("water.#", max_length = 10, overflow = "reject-new", concurrency = 1, prefetch = 1)]
    async fn slow(number: Json<u32>, gate: State<Gate>, calls: State<Calls>) {
        calls.add(number.0);
        gate.pass().await;
    }

    pub(crate) async fn run(arena: Arena) {
        let (calls, gate) = (Calls::default(), Gate::closed());
        let levels: Arc<Mutex<Vec<QueueLevel>>> = Arc::default();
        let told = Arc::clone(&levels);
        let marks = || levels.lock().unwrap().iter().map(|level| level.mark).collect::<Vec<_>>();
        let app = arena.app(module_path!()).state(calls.clone()).state(gate.clone());
        let app = app.on_queue_level(move |level| told.lock().unwrap().push(level.clone()));
        let bus = app.start().await.unwrap();
        occupy(&bus, "water.x", &calls).await;
        for number in 1..=9 {
            bus.react("water.x", &number).await.unwrap();
        }
        until("the high mark is told", || !marks().is_empty()).await;
        bus.react("water.x", &10).await.unwrap();
        gate.open();
        until("the low mark is told", || marks().len() > 1).await;
        bus.settled().await.unwrap();
        assert_eq!(marks(), [WaterMark::High, WaterMark::Low]);
        let levels = levels.lock().unwrap().clone();
        assert_eq!((&levels[0].queue, levels[0].max_length), (&bus.plan().queues[0].name, 10));
        assert!(levels[0].ready >= 8 && levels[1].ready <= 5, "{levels:?}");
        bus.shutdown().await;
    }
}
