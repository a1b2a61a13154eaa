//! Dead letters: what they tell, and how they are looked at.

use std::collections::BTreeSet;
use std::sync::Arc;

use bus_runtime::dead_letters::{Control, DeadLetters, Ended, Letter, Replay, Selection, Undertaker};
use bus_runtime::prelude::*;
use bus_runtime::{Attempt, Bus};
use bus_tests::arena::{Arena, Calls};

/// Waits for so many letters in the only queue of the app.
pub(crate) async fn until_dead(arena: &Arena, bus: &Bus, count: u64) {
    let dead = bus.plan().queues[0].dead.trim_start_matches(arena.name("").as_str()).to_owned();
    arena.until_ready(&dead, count).await;
}

pub(crate) async fn all(letters: &DeadLetters) -> Vec<Letter> {
    letters.list(&Selection::default(), 1_000).await.unwrap().letters
}

pub(crate) fn where_(text: &str) -> Selection {
    let mut selection = Selection::default();
    selection.expression = Some(bus_runtime::expression::Expression::parse(text, &Letter::FIELDS).unwrap());
    selection
}

pub(crate) mod r10_a_dead_letter_tells_everything {
    use super::*;

    #[derive(Debug)]
    struct Outer(std::io::Error);

    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("can't index")
        }
    }

    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }

    #[react("r10.#", retry(max = 1, initial = "20ms"))]
    async fn index(key: RoutingKey) -> Result<(), Outer> {
        assert!(key != "r10.panics", "no such page");
        let text = if key == "r10.long" { "x".repeat(200_000) } else { "disk full".to_owned() };
        Err(Outer(std::io::Error::other(text)))
    }

    #[react("boxed.#", retry = "none")]
    async fn boxed() -> Result<(), BoxError> {
        Err("no type to tell".into())
    }

    #[react("plain.#", retry = "none")]
    fn plain() {
        panic!("on another thread");
    }

    pub(crate) async fn run(arena: Arena) {
        let bus = arena.app(module_path!()).start().await.unwrap();
        let published = bus.react("r10.fails", &serde_json::json!({ "page": "home" }));
        published.header("tenant", "acme").context("p1", "wiki").await.unwrap();
        bus.react("r10.panics", &1).await.unwrap();
        bus.react("r10.long", &2).await.unwrap();
        bus.react("plain.x", &3).await.unwrap();
        bus.react("boxed.x", &4).await.unwrap();
        for queue in &bus.plan().queues {
            let dead = queue.dead.trim_start_matches(arena.name("").as_str());
            arena.until_ready(dead, if dead.contains("index") { 3 } else { 1 }).await;
        }
        let letters = all(&bus.dead_letters()).await;
        let of = |key: &str| letters.iter().find(|letter| letter.routing_key == key).expect(key);

        let letter = of("r10.fails");
        assert_eq!((letter.by, letter.reason.as_str()), (Undertaker::Worker, "failed"));
        assert_eq!(letter.error.as_deref(), Some("can't index: disk full"));
        assert!(letter.error_type.as_ref().unwrap().ends_with("Outer"), "{letter:?}");
        assert!(letter.handler.as_ref().unwrap().ends_with("::index"));
        assert_eq!(letter.attempts, Some(2));
        assert!(letter.first_failed_at < letter.last_failed_at);
        assert!(letter.worker.as_ref().unwrap().starts_with("test-"));
        let queue = bus.plan().queues.iter().find(|queue| queue.name.as_str() == letter.queue).unwrap();
        assert_eq!(letter.dead_queue, queue.dead);
        assert_eq!(letter.exchange, arena.name("react").as_str());
        assert_eq!(letter.envelope.body, r#"{"page":"home"}"#);
        assert_eq!(letter.envelope.headers.text("tenant"), Some("acme"));
        assert_eq!(letter.envelope.headers.text("bus-project-id"), Some("p1"));
        assert!(letter.message_id().is_some());

        assert_eq!(of("boxed.x").error_type.as_deref(), Some("BoxError"));

        // A panic tells its place, on whichever thread.
        for (key, text) in [("r10.panics", "no such page"), ("plain.x", "on another thread")] {
            let error = of(key).error.clone().unwrap();
            assert!(error.starts_with("panicked at ") && error.ends_with(text), "{error}");
            assert!(error.contains("dead_letters.rs:"), "{error}");
            assert_eq!(of(key).error_type.as_deref(), Some("panic"));
        }
        // An error of any length fits into a frame.
        let long = of("r10.long").error.as_ref().unwrap();
        assert!(long.len() <= 4096 && long.ends_with('…'), "{}", long.len());
        bus.shutdown().await;
    }
}

pub(crate) mod r10_what_the_broker_moved_is_shown_and_replayed {
    use super::*;

    #[react("native.#", ttl = "100ms")]
    async fn handled(key: RoutingKey, attempt: Attempt, calls: State<Calls>) {
        calls.add(format!("{key} {attempt}"));
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        let (exchange, queue) = (arena.name("react"), bus.plan().queues[0].clone());
        bus.shutdown().await;

        let exchange = bus_runtime::ExchangeName::new(exchange.as_str()).unwrap();
        let mut envelope = bus_runtime::Envelope::new(exchange, RoutingKey::new("native.x").unwrap(), "1");
        envelope.headers.set("bus-error", "forged");
        envelope.headers.set("bus-attempt", 7);
        let _ = arena.transport().publish(Arc::new(envelope)).await.unwrap();
        arena.until_ready(queue.dead.trim_start_matches(arena.name("").as_str()), 1).await;

        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        let letters = bus.dead_letters();
        let letter = all(&letters).await.remove(0);
        assert_eq!((letter.by, letter.reason.as_str()), (Undertaker::Broker, "expired"));
        assert_eq!((letter.queue.as_str(), letter.routing_key.as_str()), (queue.name.as_str(), "native.x"));
        assert_eq!((letter.error.as_deref(), letter.attempts), (None, None), "a forged story does not count");
        assert!(letter.handler.as_ref().unwrap().ends_with("::handled"), "the only one of the queue");
        assert!(letter.last_failed_at.is_some());
        assert!(letter.explain(std::time::SystemTime::now())[0].contains("time to live"));

        let replayed =
            letters.replay(&where_("by=broker"), &Replay::default(), Control::default()).await.unwrap();
        assert_eq!((replayed.moved, replayed.failed, replayed.ended), (1, 0, Ended::Done));
        calls.until(1).await;
        assert_eq!(calls.all(), ["native.x 1"]);
        assert_eq!(all(&letters).await.len(), 0);
        bus.shutdown().await;
    }
}

pub(crate) mod r11_looking_shows_different_letters_and_changes_nothing {
    use super::*;

    #[react("r11.{number}", retry = "none")]
    async fn fails(number: u32) -> Result<(), String> {
        Err(if number.is_multiple_of(3) { "no space".to_owned() } else { format!("no page \"{number}\"") })
    }

    pub(crate) async fn run(arena: Arena) {
        let bus = arena.app(module_path!()).start().await.unwrap();
        for number in 0..30 {
            bus.react(format!("r11.{number}"), &number).await.unwrap();
        }
        until_dead(&arena, &bus, 30).await;
        let letters = bus.dead_letters();
        let before = all(&letters).await;
        let different: BTreeSet<_> = before.iter().map(|letter| letter.id.clone()).collect();
        assert_eq!(different.len(), 30, "each has an id of its own");
        for _ in 0..3 {
            let seven = letters.list(&Selection::default(), 7).await.unwrap();
            assert!(seven.is_cut && seven.total == 30, "{seven:?}");
            let ids: Vec<_> = seven.letters.iter().map(|letter| &letter.id).collect();
            let wanted: Vec<_> = before[..7].iter().map(|letter| &letter.id).collect();
            assert_eq!(ids, wanted, "the same seven, in the same order");
        }
        let after = all(&letters).await;
        let same = before.iter().zip(&after).all(|(one, other)| one.envelope == other.envelope);
        assert!(same && after.len() == 30, "messages and order are as they were");

        let groups = letters.groups(&Selection::default()).await.unwrap().groups;
        let counts: Vec<_> = groups.iter().map(|group| group.count).collect();
        assert_eq!(counts, [20, 10]);
        let mut of_group = Selection::default();
        of_group.group = Some(groups[1].name.clone());
        assert_eq!(letters.list(&of_group, 100).await.unwrap().letters.len(), 10);
        assert_eq!(letters.list(&where_("error~space"), 100).await.unwrap().letters.len(), 10);

        // Numbers come to an end although letters keep arriving.
        let publishing = async {
            for number in 30..200 {
                bus.react(format!("r11.{number}"), &number).await.unwrap();
            }
        };
        let everything = Selection::default();
        let (stats, ()) = tokio::join!(letters.stats(&everything), publishing);
        let stats = stats.unwrap();
        assert!(stats.len() == 1 && stats[0].letters >= 30, "{stats:?}");
        assert_eq!(stats[0].reasons.get("failed"), Some(&stats[0].letters));
        until_dead(&arena, &bus, 200).await;
        bus.shutdown().await;
    }
}

/// Dead letters with room for one.
async fn make_room_for_one(arena: &Arena, dead: &bus_runtime::QueueName) -> bus_runtime::Config {
    use bus_runtime::topology::{Overflow, Queue, QueueType, Topology};
    let mut full = Queue::durable(dead.clone(), QueueType::Classic);
    full.arguments.max_length = Some(1);
    full.arguments.overflow = Some(Overflow::RejectPublish);
    arena.transport().declare(&Topology { queues: vec![full], ..Topology::default() }).await.unwrap();
    let mut config = arena.config();
    config.declare = bus_runtime::provision::Declare::Missing;
    config
}

pub(crate) mod r12_a_full_dead_letter_queue_loses_nothing {
    use super::*;
    use bus_runtime::topology::{Queue, QueueType, Topology};

    #[react("r12.{what}", retry = "none")]
    async fn handle(what: String, calls: State<Calls>) -> Result<(), String> {
        calls.add(&what);
        if what == "bad" { Err("no".to_owned()) } else { Ok(()) }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = || arena.app(module_path!()).state(calls.clone());
        let dead = app().plan().unwrap().queues[0].dead.clone();
        let config = make_room_for_one(&arena, &dead).await;
        let start = || app().config(config.clone()).start();
        let bus = start().await.unwrap();
        for number in 0..3 {
            bus.react("r12.bad", &number).await.unwrap();
        }
        calls.until(3).await;
        let name = dead.trim_start_matches(arena.name("").as_str());
        arena.until_ready(name, 1).await;
        // As soon as there is space, each finds its way, as it would have come at once.
        let mut letters = arena.take(name).await;
        while letters.len() < 3 {
            arena.until_ready(name, 1).await;
            letters.extend(arena.take(name).await);
        }
        let told = |name: &str| letters.iter().filter(|letter| letter.headers.get(name).is_some()).count();
        assert_eq!((told("bus-error"), told("bus-due-refused"), told("x-death")), (3, 0, 0), "{letters:?}");
        let bodies: BTreeSet<_> = letters.iter().map(|letter| letter.body.to_vec()).collect();
        assert_eq!(bodies.len(), 3, "{letters:?}");

        // Without the queue it is the same, and without the worker that gave the message up.
        arena.transport().delete_queue(&dead).await.unwrap();
        bus.react("r12.bad", &()).await.unwrap();
        calls.until(4).await;
        bus.react("r12.good", &()).await.unwrap();
        calls.until(5).await;
        bus.shutdown().await;
        let again = Queue::durable(dead.clone(), QueueType::Quorum);
        arena.transport().declare(&Topology { queues: vec![again], ..Topology::default() }).await.unwrap();
        let bus = start().await.unwrap();
        arena.until_ready(name, 1).await;
        assert_eq!(calls.all(), ["bad", "bad", "bad", "bad", "good"], "none was handled twice");
        bus.shutdown().await;
    }
}

/// More letters without room than the worker may hold: the next message is handled all the same, and everybody who asks is told.
pub(crate) mod r12_a_full_dead_letter_queue_never_blocks_the_worker {
    use super::*;
    use bus_runtime::Status;
    use bus_tests::arena::until;

    #[react("goes.on.{what}", retry = "none", concurrency = 1, prefetch = 2)]
    async fn handle(what: String, calls: State<Calls>) -> Result<(), String> {
        calls.add(&what);
        if what == "bad" { Err("no".to_owned()) } else { Ok(()) }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = || arena.app(module_path!()).state(calls.clone());
        let dead = app().plan().unwrap().queues[0].dead.clone();
        let config = make_room_for_one(&arena, &dead).await;
        let bus = app().config(config).start().await.unwrap();
        for _ in 0..4 {
            bus.react("goes.on.bad", &()).await.unwrap();
        }
        for number in 5..=40 {
            bus.react("goes.on.good", &()).await.unwrap();
            calls.until(number).await;
        }
        until("all are settled", || bus.stats().handlers[0].dead_lettered == 4).await;
        let health = bus.health();
        assert_eq!((health.status, health.is_ready()), (Status::Degraded, true), "{health:?}");
        let told = format!("`{dead}` takes no dead letters: it is full");
        assert!(health.problems.len() == 1 && health.problems[0].starts_with(&told), "{health:?}");
        let queue = bus.plan().queues[0].name.clone();
        let queue = queue.trim_start_matches(arena.name("").as_str());
        arena.until_ready(queue, 0).await;

        let name = dead.trim_start_matches(arena.name("").as_str());
        for _ in 0..4 {
            arena.until_ready(name, 1).await;
            assert_eq!(arena.take(name).await.len(), 1);
        }
        until("all is well", || bus.health().status == Status::Ready).await;
        assert_eq!(bus.stats().handlers[0].dead_lettered, 4, "a letter counts once, however often it asks");
        assert_eq!(calls.count(), 40, "none was handled twice");
        bus.shutdown().await;
    }
}
