//! How sessions end: in order, with their owner, with the bus, and from inside. Nothing is left, and nobody waits for ever.

use std::sync::Arc;
use std::time::Duration;

use bus_runtime::prelude::*;
use bus_runtime::{Bus, ErrorKind, SessionEnded};
use bus_tests::arena::{Arena, Calls, until};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::time::timeout;

/// Longer than anything here takes, and shorter than what ends a session by force.
const SOON: Duration = Duration::from_secs(15);

#[derive(Debug, Serialize, Deserialize, Message)]
#[event("session.ends.tick", terminal)]
struct Tick(u32);

/// A session with a slow handler.
async fn ticking(bus: &Bus, calls: &Calls) -> bus_runtime::Session {
    let session = bus.session("job").await.unwrap();
    let heard = calls.clone();
    session
        .on(move |Tick(number): Tick| {
            let heard = heard.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(10)).await;
                heard.add(number);
            }
        })
        .await
        .unwrap();
    session
}

async fn until_nothing_is_left(bus: &Bus) {
    let left = || {
        let sessions = bus.stats().sessions;
        (sessions.open, sessions.handlers)
    };
    until("no session is left", || left() == (0, 0)).await;
}

pub(crate) mod l7_the_end_comes_after_what_was_published {
    use super::*;

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app_without_handlers().start().await.unwrap();
        let session = ticking(&bus, &calls).await;
        let heard = calls.clone();
        session
            .on(move |ended: SessionEnded| {
                heard.add(format!("ended {}", ended.session_id));
                async {}
            })
            .await
            .unwrap();
        let publisher = session.publisher();
        for number in 0..20 {
            publisher.publish(&Tick(number)).await.unwrap();
        }
        timeout(SOON, session.end()).await.expect("it ends");
        let mut all = calls.all();
        assert!(all.contains(&"ended job".to_owned()), "its own handlers hear of it");
        all.retain(|call| !call.starts_with("ended"));
        assert_eq!(all, (0..20).map(|number| number.to_string()).collect::<Vec<_>>());
        let error = publisher.publish(&Tick(20)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SessionEnded, "{error}");
        assert_eq!(publisher.react("any", &()).await.unwrap_err().kind(), ErrorKind::SessionEnded);
        assert_eq!(publisher.session("x").await.unwrap_err().kind(), ErrorKind::SessionEnded);
        until_nothing_is_left(&bus).await;
        bus.shutdown().await;
    }
}

pub(crate) mod l7_handlers_go_with_their_owner {
    use super::*;

    async fn fails(bus: &Bus, calls: &Calls) -> Result<(), BoxError> {
        let session = ticking(bus, calls).await;
        session.publish(&Tick(1)).await?;
        calls.until(1).await;
        Err("the job failed".into())
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = Arc::new(arena.app_without_handlers().start().await.unwrap());
        fails(&bus, &calls).await.unwrap_err();
        until_nothing_is_left(&bus).await;
        let (panics, heard) = (Arc::clone(&bus), calls.clone());
        let task = tokio::spawn(async move {
            let session = ticking(&panics, &heard).await;
            session.publish(&Tick(2)).await.unwrap();
            heard.until(2).await;
            panic!("the job panicked");
        });
        assert!(task.await.unwrap_err().is_panic());
        until_nothing_is_left(&bus).await;
        // Whatever still waits for a session that is dropped is not heard of.
        let session = ticking(&bus, &calls).await;
        for number in 3..100 {
            session.publish(&Tick(number)).await.unwrap();
        }
        drop(session);
        let begun = calls.count() + 1;
        until_nothing_is_left(&bus).await;
        assert!(calls.count() <= begun, "{} after {begun}", calls.count());
        // A new session of the same id is a new one.
        let session = ticking(&bus, &calls).await;
        let before = calls.count();
        session.publish(&Tick(100)).await.unwrap();
        session.end().await;
        assert_eq!(calls.all().split_off(before), ["100"]);
        Arc::into_inner(bus).unwrap().shutdown().await;
    }
}

pub(crate) mod l2_a_session_ends_from_inside {
    use super::*;
    use std::sync::Mutex;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[event("session.ends.stop")]
    struct Stop;

    type Slot = Arc<Mutex<Option<bus_runtime::Session>>>;

    async fn end(slot: &Slot) {
        let session = slot.lock().unwrap().take();
        if let Some(session) = session {
            session.end().await;
        }
    }

    /// A handler of the bus, for which the session's own handler waits.
    #[message_handler(Stop)]
    async fn stop(_stop: Stop, slot: State<Slot>, calls: State<Calls>) {
        end(&slot).await;
        calls.add("stopped");
    }

    pub(crate) async fn run(arena: Arena) {
        let (calls, slot) = (Calls::default(), Slot::default());
        let app = arena.app(module_path!()).state(calls.clone()).state(Arc::clone(&slot));
        let bus = app.start().await.unwrap();
        let session = ticking(&bus, &calls).await;
        session.on(|_: Stop| async {}).await.unwrap();
        let publisher = session.publisher();
        *slot.lock().unwrap() = Some(session);
        publisher.publish(&Stop).await.unwrap();
        timeout(SOON, calls.until(1)).await.expect("a handler of the bus can end it");
        timeout(SOON, until_nothing_is_left(&bus)).await.expect("it ends");

        let session = bus.session("job").await.unwrap();
        let (own, heard) = (Arc::clone(&slot), calls.clone());
        session
            .on(move |_: Tick| {
                let (own, heard) = (Arc::clone(&own), heard.clone());
                async move {
                    end(&own).await;
                    heard.add("ended itself");
                }
            })
            .await
            .unwrap();
        let publisher = session.publisher();
        *slot.lock().unwrap() = Some(session);
        publisher.publish(&Tick(0)).await.unwrap();
        timeout(SOON, calls.until(2)).await.expect("its own handler can end it");
        timeout(SOON, until_nothing_is_left(&bus)).await.expect("it ends");
        assert_eq!(calls.all(), ["stopped", "ended itself"]);
        bus.shutdown().await;
    }
}

pub(crate) mod a_session_inside_a_handler {
    use super::*;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("session.ends.price", reply = u32)]
    struct Price(u32);

    #[react("session.ends.inside", retry = "none", concurrency = 1)]
    async fn inside(key: Json<u32>, bus: Publisher, calls: State<Calls>) -> Result<(), BoxError> {
        let session = bus.session(format!("job-{}", key.0)).await?;
        let heard = calls.clone();
        session
            .on(move |Tick(number): Tick| {
                heard.add(format!("tick {number}"));
                async {}
            })
            .await?;
        session.on_command(|Price(of): Price| async move { Ok::<_, BoxError>(2 * of) }).await?;
        session.publish(&Tick(key.0)).await?;
        let price = session.execute(Price(key.0)).await?;
        if key.0 == 1 {
            return Err("it goes with the handler".into());
        }
        session.end().await;
        calls.add(format!("price {price}"));
        Ok(())
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        for number in [1_u32, 2] {
            bus.react("session.ends.inside", &number).context("p", "m").await.unwrap();
        }
        timeout(SOON, until("both are done", || bus.stats().handlers[0].called == 2)).await.unwrap();
        timeout(SOON, until("the second is done", || calls.all().contains(&"price 4".to_owned())))
            .await
            .unwrap();
        assert!(calls.all().contains(&"tick 2".to_owned()), "{:?}", calls.all());
        until_nothing_is_left(&bus).await;
        bus.shutdown().await;
    }
}

pub(crate) mod shutdown_ends_sessions {
    use super::*;

    pub(crate) async fn run(arena: Arena) {
        let (calls, release) = (Calls::default(), Arc::new(Notify::new()));
        let bus = arena.app_without_handlers().start().await.unwrap();
        let session = ticking(&bus, &calls).await;
        for number in 0..5 {
            session.publish(&Tick(number)).await.unwrap();
        }
        let (publisher, late) = (bus.publisher(), session.publisher());
        let owner = {
            let release = Arc::clone(&release);
            tokio::spawn(async move {
                release.notified().await;
                session.end().await;
            })
        };
        timeout(SOON, bus.shutdown()).await.expect("the bus ends, whoever holds a session");
        assert_eq!(calls.all(), ["0", "1", "2", "3", "4"]);
        assert_eq!(late.publish(&Tick(9)).await.unwrap_err().kind(), ErrorKind::SessionEnded);
        assert_eq!(publisher.session("late").await.unwrap_err().kind(), ErrorKind::Closed);
        release.notify_one();
        timeout(SOON, owner).await.expect("ending it is nothing any more").unwrap();
    }
}

pub(crate) mod ids_of_sessions {
    use super::*;

    pub(crate) async fn run(arena: Arena) {
        let bus = arena.app_without_handlers().start().await.unwrap();
        for id in [String::new(), "x".repeat(256)] {
            assert_eq!(bus.session(id).await.unwrap_err().kind(), ErrorKind::InvalidName);
        }
        for id in ["#.*", "grüße\u{1}", &"x".repeat(255)] {
            let calls = Calls::default();
            let session = bus.session(id).await.unwrap();
            let heard = calls.clone();
            session
                .on(move |Tick(number): Tick| {
                    heard.add(number);
                    async {}
                })
                .await
                .unwrap();
            session.publish(&Tick(7)).await.unwrap();
            session.end().await;
            assert_eq!(calls.all(), ["7"], "{id}");
        }
        bus.shutdown().await;
    }
}
