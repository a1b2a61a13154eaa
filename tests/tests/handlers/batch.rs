//! Many messages in one call.

use std::time::Instant;

use bus_runtime::prelude::*;
use bus_runtime::{Attempt, Batch, IntoOutcome};
use bus_tests::arena::{Arena, Calls};
use serde::{Deserialize, Serialize};

pub(crate) mod batches_are_filled_or_wait {
    use super::*;

    #[react("fill.{parity}", batch(size = 4, wait = "400ms"))]
    async fn fill(numbers: Vec<Json<u32>>, parity: Vec<String>, keys: Vec<RoutingKey>, calls: State<Calls>) {
        for ((number, parity), key) in numbers.iter().zip(&parity).zip(&keys) {
            assert!(key.ends_with(parity.as_str()));
            assert_eq!(number.0 % 2 == 0, parity == "even");
        }
        let numbers: Vec<_> = numbers.iter().map(|number| number.0.to_string()).collect();
        calls.add(numbers.join(" "));
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        assert_eq!((bus.plan().queues[0].concurrency, bus.plan().queues[0].prefetch), (1, 8));
        let started = Instant::now();
        for number in 0..10 {
            bus.react(if number % 2 == 0 { "fill.even" } else { "fill.odd" }, &number).await.unwrap();
        }
        bus.settled().await.unwrap();
        // The last two have waited for others.
        assert!(started.elapsed() >= Duration::from_millis(400), "{:?}", started.elapsed());
        let all = calls.all().join(" ");
        assert_eq!(all, "0 1 2 3 4 5 6 7 8 9", "every message, in order");
        assert!(calls.all().iter().all(|batch| batch.split(' ').count() <= 4), "{:?}", calls.all());
        let stats = bus.stats().handlers.remove(0);
        assert_eq!((stats.called, stats.handled, stats.batches), (10, 10, calls.count() as u64));
        bus.shutdown().await;
    }
}

pub(crate) mod each_message_of_a_batch_has_its_outcome {
    use super::*;

    #[react("each.#", batch(size = 5, wait = "300ms"), retry(max = 2, initial = "50ms"))]
    async fn each(batch: Batch<Json<String>>, calls: State<Calls>) -> Vec<Outcome> {
        calls.add(batch.len());
        batch.outcomes(|what, message| {
            calls.add(format!("{} {}", what.0, message.attempt()));
            match (what.as_str(), message.attempt()) {
                ("reject", _) => reject("no use"),
                ("retry", 1) | ("error", _) => IntoOutcome::into_outcome(Err::<(), _>("no")),
                _ => ack(),
            }
        })
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        for what in ["one", "reject", "retry", "error"] {
            bus.react("each.x", what).await.unwrap();
        }
        bus.publish_raw(arena.name("react"), "each.x", "not JSON").await.unwrap();
        let dead = bus.plan().queues[0].dead.trim_start_matches(arena.name("").as_str()).to_owned();
        arena.until_ready(&dead, 3).await;
        bus.settled().await.unwrap();
        let count = |call: &str| calls.all().iter().filter(|other| *other == call).count();
        for call in ["one 1", "reject 1", "retry 1", "retry 2", "error 1", "error 2", "error 3"] {
            assert_eq!(count(call), 1, "{call}: {:?}", calls.all());
        }
        let stats = bus.stats().handlers.remove(0);
        assert_eq!((stats.handled, stats.retried, stats.dead_lettered, stats.failed), (2, 3, 3, 4));
        let mut reasons: Vec<_> = arena
            .take(&dead)
            .await
            .iter()
            .map(|letter| letter.headers.text("bus-reason").unwrap_or_default().to_owned())
            .collect();
        reasons.sort();
        assert_eq!(reasons, ["decode", "failed", "rejected"]);
        bus.shutdown().await;
    }
}

pub(crate) mod a_failed_batch_is_tried_again_one_by_one {
    use super::*;

    #[react("poison.#", batch(size = 3, wait = "5s"), retry(max = 1, initial = "50ms"), timeout = "2s")]
    async fn poisoned(
        bodies: Vec<Json<String>>,
        attempts: Vec<Attempt>,
        calls: State<Calls>,
    ) -> Vec<Outcome> {
        calls.add(format!("{} at {}", bodies.len(), attempts[0].0));
        match bodies.iter().map(|body| body.as_str()).find(|body| *body != "good") {
            Some("panics") => panic!("poison"),
            Some("hangs") => std::future::pending().await,
            Some("short") => Vec::new(),
            _ => bodies.iter().map(|_| ack()).collect(),
        }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        let dead = bus.plan().queues[0].dead.trim_start_matches(arena.name("").as_str()).to_owned();
        for (round, (poison, error)) in [
            ("panics", ": poison"),
            ("hangs", "timed out after 2s"),
            ("short", "the handler returned 0 outcomes for 1 messages"),
        ]
        .into_iter()
        .enumerate()
        {
            for body in ["good", poison, "good"] {
                bus.react("poison.x", body).await.unwrap();
            }
            arena.until_ready(&dead, 1).await;
            calls.until(4 * (round + 1)).await;
            bus.settled().await.unwrap();
            let letters = arena.take(&dead).await;
            assert_eq!(&letters[0].body[..], format!("\"{poison}\"").as_bytes());
            let text = letters[0].headers.text("bus-error").unwrap_or_default();
            assert!(text.ends_with(error), "{text}");
            let batches = calls.all().split_off(4 * round);
            assert_eq!(batches, ["3 at 1", "1 at 2", "1 at 2", "1 at 2"], "{poison}");
        }
        let stats = bus.stats().handlers.remove(0);
        assert_eq!((stats.handled, stats.retried, stats.dead_lettered), (6, 9, 3));
        bus.shutdown().await;
    }
}

pub(crate) mod a_batch_publishes_when_it_is_done {
    use super::*;

    #[derive(Serialize, Deserialize, Message)]
    #[event("batch.counted")]
    struct Counted {
        messages: usize,
    }

    #[derive(Serialize, Deserialize, Message)]
    #[event("batch.viewed")]
    struct Viewed {
        page: String,
    }

    #[message_handler(Viewed, batch(size = 2, wait = "5s"), retry = "none")]
    async fn count(views: Vec<Viewed>, bus: Publisher) -> Result<(), BoxError> {
        bus.publish(&Counted { messages: views.len() }).await?;
        Counted { messages: views.len() }.publish().await?;
        if views.iter().any(|view| view.page.is_empty()) { Err("no page".into()) } else { Ok(()) }
    }

    #[message_handler(Counted)]
    async fn counted(counted: Counted, context: Context, calls: State<Calls>) {
        calls.add(format!("{} {:?}", counted.messages, context.project_id()));
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        for (page, project) in
            [("", "p"), ("bad", "p"), ("home", "p"), ("home", "p"), ("home", "p"), ("home", "q")]
        {
            bus.publish(&Viewed { page: page.to_owned() }).context(project, "wiki").await.unwrap();
        }
        calls.until(4).await;
        bus.settled().await.unwrap();
        // The first batch has failed, so it has published nothing; what the others agree on is inherited.
        assert_eq!(calls.all(), ["2 Some(\"p\")", "2 Some(\"p\")", "2 None", "2 None"]);
        let stats = bus.stats();
        let of_count = stats.handlers.iter().find(|handler| handler.name.ends_with("::count")).unwrap();
        assert_eq!((of_count.published, of_count.handled, of_count.dead_lettered), (4, 4, 2));
        bus.shutdown().await;
    }
}

pub(crate) mod shutdown_handles_a_partial_batch {
    use super::*;

    #[react("partial.a", batch(size = 100, wait = "10m"), timeout = "10s")]
    #[react("partial.b", batch(size = 100, wait = "10m"))]
    fn plain(numbers: Vec<Json<u32>>, calls: State<Calls>) {
        numbers.iter().for_each(|number| calls.add(number.0));
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        for number in 0..6 {
            bus.react(["partial.a", "partial.b"][number % 2], &number).await.unwrap();
        }
        // They are here, and wait for others.
        bus_tests::arena::until("six messages wait", || bus.stats().handlers[0].called == 6).await;
        assert_eq!(calls.count(), 0);
        let queue = bus.plan().queues[0].name.trim_start_matches(arena.name("").as_str()).to_owned();
        let drained = bus.shutdown().await;
        assert_eq!((drained.interrupted, drained.lost), (0, 0));
        assert_eq!(calls.all(), ["0", "1", "2", "3", "4", "5"]);
        assert_eq!(arena.ready(&queue).await, 0);
    }
}

pub(crate) mod an_interrupted_batch_goes_back {
    use super::*;

    #[react("interrupted.#", batch(size = 3, wait = "5s"), timeout = "none")]
    async fn hangs(bodies: Vec<Json>, attempts: Vec<Attempt>, calls: State<Calls>) {
        calls.add(format!("{} at {}", bodies.len(), attempts[0].0));
        let _ended = Ended(calls);
        std::future::pending::<()>().await;
    }

    struct Ended(State<Calls>);

    impl Drop for Ended {
        fn drop(&mut self) {
            self.0.add("dropped");
        }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let app = arena.app(module_path!()).state(calls.clone()).grace(Duration::from_millis(200));
        let bus = app.start().await.unwrap();
        let queue = bus.plan().queues[0].name.trim_start_matches(arena.name("").as_str()).to_owned();
        for number in 0..3 {
            bus.react("interrupted.x", &number).await.unwrap();
        }
        calls.until(1).await;
        assert_eq!(bus.shutdown().await.interrupted, 3);
        calls.until(2).await;
        assert_eq!(calls.all(), ["3 at 1", "dropped"], "the call ends with its messages");
        arena.until_ready(&queue, 3).await;
    }
}

#[test]
fn a_batch_is_for_a_handler_that_takes_many() {
    use bus_runtime::{BatchOptions, HandlerId, HandlerOptions, HandlerRegistration};

    let errors = |registration: HandlerRegistration, options: HandlerOptions| {
        let planned = bus_runtime::app().register(registration.with_options(options)).plan();
        planned.err().unwrap_or_default().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let id = HandlerId { module: "batches", name: "count" };
    let many = HandlerRegistration::react_in_batches(id, &["page.#"], |_| Ok(Vec::new()), |_| unreachable!());
    let batch = Some(BatchOptions { size: 10, wait: None });
    let options = HandlerOptions { batch, ..HandlerOptions::default() };
    assert_eq!(errors(many, options), [""; 0]);

    let one = HandlerRegistration::react(id, &["page.#"], |_| unreachable!());
    for errors in [errors(one, options), errors(many, HandlerOptions::default())] {
        assert!(errors[0].contains("has the option `batch` and takes one message"), "{errors:?}");
    }
}
