//! What fails is tried again, and then it is dead.

use std::time::Duration;

use bus_runtime::Attempt;
use bus_runtime::prelude::*;
use bus_tests::arena::{Arena, Calls};

pub(crate) mod r1_a_poison_message_is_called_max_plus_one_times {
    use super::*;
    use std::time::Instant;

    #[react("r1.#", retry(max = 3, initial = "100ms", factor = 2.0, jitter = 0.0))]
    async fn poisoned(attempt: Attempt, calls: State<Calls>) -> Result<(), std::io::Error> {
        calls.add(attempt);
        Err(std::io::Error::other("poison"))
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        let started = Instant::now();
        bus.react("r1.this", &"body").header("kept", "yes").await.unwrap();
        let queue = bus.plan().queues[0].clone();
        let dead = queue.dead.trim_start_matches(arena.name("").as_str()).to_owned();
        arena.until_ready(&dead, 1).await;
        // 100 ms, 200 ms, 400 ms: no less, as a delay is never shortened.
        assert!(started.elapsed() >= Duration::from_millis(700), "{:?}", started.elapsed());
        assert_eq!(calls.all(), ["1", "2", "3", "4"]);

        let letters = arena.take(&dead).await;
        let [letter] = letters.as_slice() else { panic!("{letters:?}") };
        let text = |name: &str| letter.headers.text(name).unwrap_or_default().to_owned();
        assert_eq!(&letter.body[..], b"\"body\"");
        assert_eq!(text("kept"), "yes");
        assert_eq!(text("bus-exchange"), arena.name("react").as_str());
        assert_eq!(text("bus-routing-key"), "r1.this");
        assert_eq!(text("bus-queue"), queue.name.as_str());
        assert_eq!(text("bus-reason"), "failed");
        assert_eq!(text("bus-error"), "poison");
        assert_eq!(text("bus-error-type"), "std::io::error::Error");
        assert!(text("bus-handler").ends_with("::poisoned"));
        assert_eq!(letter.headers.int("bus-attempt"), Some(4));
        assert!(text("bus-first-failed-at") < text("bus-last-failed-at"));
        bus.shutdown().await;
    }
}

pub(crate) mod r4_siblings_are_not_called_again {
    use super::*;

    #[react("r4.#", retry(max = 2, initial = "50ms"))]
    async fn fails(calls: State<Calls>) -> Result<(), String> {
        calls.add("fails");
        Err("always".to_owned())
    }

    #[react("r4.#")]
    async fn sibling(calls: State<Calls>) {
        calls.add("sibling");
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        bus.react("r4.x", &()).await.unwrap();
        calls.until(4).await;
        bus.settled().await.unwrap();
        let count = |name: &str| calls.all().iter().filter(|call| *call == name).count();
        assert_eq!((count("fails"), count("sibling")), (3, 1));
        bus.shutdown().await;
    }
}

pub(crate) mod r5_a_retried_copy_keeps_what_it_was {
    use super::*;
    use bus_runtime::Metadata;

    #[react("r5.{word}", retry(max = 1, initial = "50ms"))]
    async fn once_more(
        word: String,
        metadata: Metadata,
        body: Bytes,
        calls: State<Calls>,
    ) -> Result<(), String> {
        let properties = metadata.properties();
        calls.add(format!(
            "{word} {} {} {:?} {:?} {} {} {:?}",
            metadata.exchange().rsplit('-').next().unwrap_or_default(),
            metadata.routing_key(),
            metadata.message_id(),
            metadata.correlation_id(),
            properties.persistent,
            properties.content_type.as_deref().unwrap_or_default(),
            metadata.headers().text("mine"),
        ));
        calls.add(body.len());
        if metadata.attempt() == 1 { Err("once".to_owned()) } else { Ok(()) }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        let publish = bus.react("r5.word", &"body").message_id("m-1").correlation_id("c-1");
        publish.header("mine", "kept").priority(3).await.unwrap();
        calls.until(4).await;
        let all = calls.all();
        assert_eq!(all[0], all[2], "what the handler sees is the same in both attempts");
        assert_eq!(all[1], all[3]);
        assert!(
            all[0].starts_with("word ")
                && all[0].contains("r5.word Some(\"m-1\") Some(\"c-1\") true application/json")
        );
        bus.shutdown().await;
    }
}

pub(crate) mod retry_later_takes_the_ladder {
    use super::*;
    use std::time::Instant;

    #[react("later.#")]
    async fn later(attempt: Attempt, key: RoutingKey, calls: State<Calls>) -> Outcome {
        calls.add(format!("{key} {attempt}"));
        match attempt {
            Attempt(1) => retry_later(Duration::from_secs(2)),
            _ => ack(),
        }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        let started = Instant::now();
        bus.react("later.x", &()).await.unwrap();
        calls.until(2).await;
        assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
        assert_eq!(calls.all(), ["later.x 1", "later.x 2"]);
        bus.shutdown().await;
    }
}

pub(crate) mod forged_attempts_do_not_count {
    use super::*;

    #[react("forged.#", retry(max = 1, initial = "50ms"))]
    async fn fails(attempt: Attempt, calls: State<Calls>) -> Result<(), String> {
        calls.add(attempt);
        Err("always".to_owned())
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        bus.react("forged.x", &()).header("bus-attempt", i64::MAX).await.unwrap();
        calls.until(2).await;
        bus.settled().await.unwrap();
        assert_eq!(calls.all(), ["1", "2"]);
        bus.shutdown().await;
    }
}

pub(crate) mod plain_functions_are_handlers {
    use super::*;

    #[react("plain.#", retry(max = 1, initial = "50ms"))]
    fn plain(attempt: Attempt, calls: State<Calls>) -> Result<(), String> {
        calls.add(attempt);
        assert!(attempt != Attempt(1), "the first one panics");
        std::thread::sleep(Duration::from_millis(5));
        Ok(())
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        bus.react("plain.x", &()).await.unwrap();
        calls.until(2).await;
        bus.settled().await.unwrap();
        let stats = bus.stats().handlers.remove(0);
        assert_eq!((stats.failed, stats.retried, stats.handled), (1, 1, 1));
        bus.shutdown().await;
    }
}

pub(crate) mod r6_a_retry_waits_on_the_broker_alone {
    use super::*;

    #[react("r6.#", retry(max = 1, initial = "400ms", jitter = 0.0))]
    async fn fails(calls: State<Calls>) -> Result<(), String> {
        calls.add("called");
        Err("not now".to_owned())
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        let queue = bus.plan().queues[0].name.to_string();
        let queue = queue.strip_prefix(arena.name("").as_str()).unwrap_or(&queue).to_owned();
        bus.react("r6.x", &()).await.unwrap();
        calls.until(1).await;
        bus.shutdown().await;
        // No worker is left, nor anything else of this program: the broker brings the message back by itself.
        arena.until_ready(&queue, 1).await;
        assert_eq!(arena.take(&queue).await[0].headers.int("bus-attempt"), Some(2));
        assert_eq!(calls.count(), 1);
    }
}
