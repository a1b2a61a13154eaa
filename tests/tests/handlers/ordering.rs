//! Messages of one key one after another, and queues that one worker at a time has.

use std::sync::Arc;

use bus_runtime::prelude::*;
use bus_tests::arena::{Arena, Calls};
use tokio::sync::Barrier;

/// One handler that two keys, or two messages without a key, must be in at one time for either to end.
#[derive(Clone)]
struct Meeting(Arc<Barrier>);

impl Meeting {
    fn of_two() -> Self {
        Self(Arc::new(Barrier::new(2)))
    }

    async fn other(&self) {
        self.0.wait().await;
    }
}

pub(crate) mod ordered_by_a_field_keeps_each_key_in_order {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Order {
        customer: Customer,
        number: u32,
    }

    #[derive(Deserialize)]
    struct Customer {
        id: Option<String>,
    }

    #[react("by_field.#", ordered_by = "customer.id", concurrency = 8, prefetch = 60)]
    async fn ordered(order: Json<Order>, meeting: State<Meeting>, calls: State<Calls>) {
        let Json(Order { customer, number }) = order;
        let id = customer.id.unwrap_or_else(|| "nobody".to_owned());
        calls.add(format!("{id} {number} begins"));
        if number == 0 {
            // The two keys run beside each other, or this never ends.
            meeting.other().await;
        }
        for _ in 0..number % 5 {
            tokio::task::yield_now().await;
        }
        calls.add(format!("{id} {number} ends"));
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone()).state(Meeting::of_two());
        let bus = app.start().await.unwrap();
        for number in 0..20 {
            for id in ["ann", "bob"] {
                let body = serde_json::json!({ "number": number, "customer": { "id": id } });
                bus.react("by_field.x", &body).await.unwrap();
            }
        }
        calls.until(80).await;
        for id in ["ann", "bob"] {
            let of_key: Vec<_> = calls.all().into_iter().filter(|call| call.starts_with(id)).collect();
            let both = |number| [format!("{id} {number} begins"), format!("{id} {number} ends")];
            assert_eq!(of_key, (0..20).flat_map(both).collect::<Vec<_>>());
        }
        // Messages without the field wait for nobody: both of these are in the handler at one time.
        for _ in 0..2 {
            let body = serde_json::json!({ "number": 0, "customer": {} });
            bus.react("by_field.x", &body).await.unwrap();
        }
        calls.until(84).await;
        bus.shutdown().await;
    }
}

pub(crate) mod one_at_a_time_keeps_the_order_of_the_queue_whatever_the_keys {
    use super::*;

    #[react("one_by_one.{page}", ordered_by = "{page}", prefetch = 10)]
    async fn one_by_one(page: String, number: Json<u32>, calls: State<Calls>) {
        // The others arrive meanwhile.
        tokio::time::sleep(Duration::from_millis(50)).await;
        calls.add(format!("{page} {}", number.0));
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        // `BUS_CONCURRENCY=1`.
        let mut config = arena.config();
        config.plan.concurrency = 1;
        let bus = arena.app(module_path!()).config(config).state(calls.clone()).start().await.unwrap();
        let wanted: Vec<_> =
            ["a", "a", "b", "b"].iter().zip(0..).map(|(page, n)| format!("{page} {n}")).collect();
        for (number, call) in (0..).zip(&wanted) {
            bus.react(format!("one_by_one.{}", &call[..1]), &number).await.unwrap();
        }
        calls.until(4).await;
        assert_eq!(calls.all(), wanted);
        bus.shutdown().await;
    }
}

pub(crate) mod ordered_by_a_header_or_a_word {
    use super::*;

    #[react("by_header.#", ordered_by = "header:tenant", concurrency = 4)]
    async fn by_header(number: Json<u32>, calls: State<Calls>) {
        calls.add(format!("begins {}", number.0));
        tokio::task::yield_now().await;
        calls.add(format!("ends {}", number.0));
    }

    #[react("by_word.{page}", ordered_by = "{page}", concurrency = 4)]
    async fn by_word(page: String, meeting: State<Meeting>, calls: State<Calls>) {
        meeting.other().await;
        calls.add(page);
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone()).state(Meeting::of_two());
        let bus = app.start().await.unwrap();
        for number in 0..10 {
            bus.react("by_header.x", &number).header("tenant", 7).await.unwrap();
        }
        calls.until(20).await;
        let wanted: Vec<_> =
            (0..10).flat_map(|number| [format!("begins {number}"), format!("ends {number}")]).collect();
        assert_eq!(calls.all(), wanted);
        // Two of each page: only different pages meet.
        for page in ["a", "a", "b", "b"] {
            bus.react(format!("by_word.{page}"), &()).await.unwrap();
        }
        calls.until(24).await;
        let mut pairs = calls.all().split_off(20);
        pairs[..2].sort();
        pairs[2..].sort();
        assert_eq!(pairs, ["a", "b", "a", "b"]);
        bus.shutdown().await;
    }
}

pub(crate) mod a_retry_leaves_its_place {
    use super::*;
    use bus_runtime::Attempt;

    #[react("leaves.#", ordered_by = "key", retry(max = 1, initial = "200ms"))]
    async fn fails_once(body: Json, attempt: Attempt, calls: State<Calls>) -> Result<(), String> {
        calls.add(format!("{} {attempt}", body["number"]));
        match (body["number"].as_u64(), attempt.0) {
            (Some(1), 1) => Err("once".to_owned()),
            _ => Ok(()),
        }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        for number in 1..=3 {
            bus.react("leaves.x", &serde_json::json!({ "key": "k", "number": number })).await.unwrap();
        }
        calls.until(4).await;
        assert_eq!(calls.all(), ["1 1", "2 1", "3 1", "1 2"]);
        bus.shutdown().await;
    }
}

pub(crate) mod what_waits_for_its_turn_goes_back {
    use super::*;
    use bus_runtime::Shutdown;

    #[react("waits.#", ordered_by = "key", concurrency = 2, prefetch = 5)]
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
        for _ in 0..8 {
            bus.react("waits.x", &serde_json::json!({ "key": 1 })).await.unwrap();
        }
        calls.until(1).await;
        let queue = bus.plan().queues[0].name.trim_start_matches(arena.name("").as_str()).to_owned();
        let drained = bus.shutdown().await;
        assert_eq!((drained.interrupted, drained.lost), (0, 0));
        let count = |wanted: &str| calls.all().iter().filter(|call| *call == wanted).count();
        assert_eq!(count("begun"), count("ended"));
        // The embedded broker's queues are emptied first; RabbitMQ has the rest back.
        arena.until_ready(&queue, 8 - count("ended") as u64).await;
    }
}

pub(crate) mod single_active_is_one_worker_at_a_time {
    use super::*;

    #[react("single.#", single_active = true, concurrency = 2, prefetch = 4)]
    async fn quorum(key: RoutingKey, worker: State<&'static str>, calls: State<Calls>) {
        note(&key, *worker, &calls).await;
    }

    #[react("single.#", single_active = true, queue_type = "classic", concurrency = 2, prefetch = 4)]
    async fn classic(key: RoutingKey, worker: State<&'static str>, calls: State<Calls>) {
        note(&key, *worker, &calls).await;
    }

    async fn note(key: &RoutingKey, worker: &str, calls: &Calls) {
        calls.add(format!("{worker} {key}"));
        if worker == "first" && key == "single.last" {
            std::future::pending::<()>().await;
        }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let worker = async |name: &'static str| {
            let app = arena.app(module_path!()).state(calls.clone()).state(name);
            app.grace(Duration::ZERO).start().await.unwrap()
        };
        let (first, second, third) = (worker("first").await, worker("second").await, worker("third").await);
        let count = |call: &str| calls.all().iter().filter(|other| *other == call).count();
        for _ in 0..20 {
            second.react("single.x", &()).await.unwrap();
        }
        calls.until(40).await;
        assert_eq!(count("first single.x"), 40, "{:?}", calls.all());

        // The active one is interrupted in the middle of a message: the next one has it, and all that follow.
        second.react("single.last", &()).await.unwrap();
        calls.until(42).await;
        assert_eq!(first.shutdown().await.interrupted, 2);
        calls.until(44).await;
        for _ in 0..10 {
            third.react("single.x", &()).await.unwrap();
        }
        calls.until(64).await;
        assert_eq!((count("second single.last"), count("second single.x")), (2, 20), "{:?}", calls.all());

        // And one that ends in order hands over too.
        second.shutdown().await;
        third.react("single.x", &()).await.unwrap();
        calls.until(66).await;
        assert_eq!(count("third single.x"), 2, "{:?}", calls.all());
        third.shutdown().await;
    }
}
