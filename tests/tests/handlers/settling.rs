//! Publish and wait: when everything that a message led to is settled.

use bus_runtime::prelude::*;
use bus_runtime::{Attempt, Metadata};
use bus_tests::arena::{Arena, Calls};

pub(crate) mod l2_publish_and_wait_sees_the_whole_cascade {
    use super::*;

    #[react("cascade.one", concurrency = 1)]
    async fn one(bus: Publisher, calls: State<Calls>) -> Result<(), BoxError> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        calls.add("one");
        for number in 0..3 {
            bus.react("cascade.two", &number).await?;
        }
        bus.react("cascade.nobody", &()).await?;
        bus.react("cascade.later", &()).after(Duration::from_secs(60)).await?;
        Ok(())
    }

    #[react("cascade.two", queue = "cascade.shared")]
    async fn two(number: Json<u32>, bus: Publisher, calls: State<Calls>) -> Result<(), BoxError> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        calls.add(format!("two {number:?}", number = number.0));
        bus.publish_now(&Three { number: number.0 }).await?;
        Ok(())
    }

    #[react("cascade.two", queue = "cascade.shared", retry(max = 1, initial = "100ms"))]
    async fn beside(attempt: Attempt, calls: State<Calls>) -> Result<(), String> {
        calls.add("beside");
        if attempt.0 == 1 { Err("not yet".to_owned()) } else { Ok(()) }
    }

    #[derive(serde::Serialize, serde::Deserialize, Message)]
    #[event("cascade.three")]
    struct Three {
        number: u32,
    }

    #[message_handler(Three, retry = "none")]
    async fn three(three: Three, calls: State<Calls>) -> Result<(), String> {
        calls.add("three");
        if three.number == 2 { Err("no".to_owned()) } else { Ok(()) }
    }

    #[react("cascade.later")]
    async fn later(calls: State<Calls>) {
        calls.add("later");
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        let settled = bus.react("cascade.one", &()).and_settle().await.unwrap();
        // Nothing is waited for any more: all of it has happened.
        let count = |call: &str| calls.all().iter().filter(|other| other.starts_with(call)).count();
        assert_eq!(["one", "two", "beside", "three", "later"].map(count), [1, 3, 6, 3, 0]);
        // One, three retried copies of `two`, and two of the three: a message whose copy is on its way is not done.
        assert_eq!((settled.handled, settled.dead), (6, 1));
        let nobody = bus.react("cascade.nobody", &()).and_settle().await.unwrap();
        assert_eq!((nobody.handled, nobody.dead), (0, 0));
        bus.shutdown().await;
    }
}

pub(crate) mod l2_a_handler_cannot_wait_for_what_it_publishes {
    use super::*;

    #[react("inside.start", concurrency = 1)]
    async fn start(bus: Publisher, calls: State<Calls>) {
        let held = bus.react("inside.start", &()).and_settle().await.unwrap_err();
        let now = bus.react("inside.start", &()).now().and_settle().await.unwrap_err();
        calls.add(format!("{:?} {:?}", held.kind(), now.kind()));
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        bus.react("inside.start", &()).and_settle().await.unwrap();
        assert_eq!(calls.all(), ["InsideHandler InsideHandler"]);
        bus.shutdown().await;
    }
}

pub(crate) mod what_others_handle_is_not_waited_for {
    use super::*;

    #[react("others.#", concurrency = 1)]
    async fn slow(calls: State<Calls>) {
        calls.add("begun");
        tokio::time::sleep(Duration::from_millis(200)).await;
        calls.add("ended");
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let start = || arena.app(module_path!()).state(calls.clone()).start();
        let (one, other) = (start().await.unwrap(), start().await.unwrap());
        // Both consume the queue: some of the messages go to the other one.
        let sent = (0..6).map(|number| one.react(format!("others.{number}"), &()).and_settle().into_future());
        for settled in futures_util::future::join_all(sent).await {
            settled.unwrap();
        }
        one.shutdown().await;
        other.shutdown().await;
        assert_eq!(calls.count(), 12);
    }
}

pub(crate) mod l3_a_scheduled_message_delays_no_other {
    use super::*;
    use std::time::SystemTime;

    #[react("scheduled.#", concurrency = 1)]
    async fn note(key: RoutingKey, metadata: Metadata, calls: State<Calls>) {
        calls.add(format!("{key} {}", metadata.version()));
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        let now = SystemTime::now();
        bus.react("scheduled.second", &())
            .at(now + Duration::from_secs(8))
            .header("bus-version", 7_i64)
            .await
            .unwrap();
        for _ in 0..20 {
            bus.react("scheduled.first", &()).and_settle().await.unwrap();
        }
        // What is past goes out at once.
        bus.react("scheduled.past", &()).at(now - Duration::from_secs(60)).await.unwrap();
        calls.until(22).await;
        let all = calls.all();
        assert_eq!((all[20].as_str(), all[21].as_str()), ("scheduled.past 1", "scheduled.second 7"));
        bus.shutdown().await;
    }
}
