//! Sessions: who hears of their messages, in this process and in others.

use std::time::Duration;

use bus_runtime::prelude::*;
use bus_runtime::{Bus, ErrorKind, Metadata, SessionEnded, SessionStarted};
use bus_tests::arena::{Arena, Calls, until};
use serde::{Deserialize, Serialize};

pub(crate) mod l7_a_session_hears_of_its_own_messages {
    use super::*;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[event("sessions.ordered")]
    struct Ordered(u32);

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[event("sessions.packed", terminal)]
    struct Packed(u32);

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[event("sessions.sent", terminal)]
    struct Sent(u32);

    #[message_handler(Ordered)]
    async fn pack(Ordered(number): Ordered, bus: Publisher, context: Context) -> Result<(), BoxError> {
        assert_eq!(context.session_id().is_some(), number >= 10);
        bus.publish(&Packed(number)).await?;
        Ok(())
    }

    #[message_handler(Packed)]
    async fn send(Packed(number): Packed, bus: Publisher) -> Result<(), BoxError> {
        bus.publish(&Sent(number)).after(Duration::from_millis(u64::from(number % 2))).await?;
        Ok(())
    }

    #[message_handler(SessionStarted)]
    async fn started(started: SessionStarted, calls: State<Calls>) {
        calls.add(format!("started {}", started.session_id));
    }

    #[message_handler(SessionEnded)]
    async fn ended(ended: SessionEnded, calls: State<Calls>) {
        calls.add(format!("ended {}", ended.session_id));
    }

    pub(crate) async fn run(arena: Arena) {
        let (calls, told) = (Calls::default(), Calls::default());
        let worker = arena.app(module_path!()).state(told.clone()).start().await.unwrap();
        let script = arena.app_without_handlers().start().await.unwrap();
        let session = script.session("job-123").await.unwrap();
        let heard = calls.clone();
        session
            .on(move |Sent(number): Sent| {
                heard.add(number);
                async {}
            })
            .await
            .unwrap();
        // Of another session, of none, and of one that is not open: through the same handlers.
        let other = worker.session("job-124").await.unwrap();
        other.publish(&Ordered(10)).await.unwrap();
        script.publish(&Ordered(1)).await.unwrap();
        script.publish(&Ordered(11)).header("bus-session-id", "job-123").await.unwrap();
        worker.settled().await.unwrap();
        session.publish(&Ordered(20)).await.unwrap();
        session.publisher().publish(&Ordered(21)).await.unwrap();
        calls.until(2).await;
        session.publish(&Sent(22)).await.unwrap();
        session.end().await;
        let mut heard = calls.all();
        heard.sort();
        assert_eq!(heard, ["20", "21", "22"], "what was delayed is heard of too");
        other.end().await;
        told.until(4).await;
        let mut told = told.all();
        told.sort();
        assert_eq!(told, ["ended job-123", "ended job-124", "started job-123", "started job-124"]);
        let sessions = script.stats().sessions;
        assert_eq!((sessions.opened, sessions.open, sessions.handlers), (1, 0, 0));
        assert_eq!((sessions.called, sessions.handled, sessions.failed), (3, 3, 0));
        script.shutdown().await;
        worker.shutdown().await;
    }
}

pub(crate) mod l1_session_handlers_come_after_those_of_the_bus {
    use super::*;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[event("sessions.step")]
    struct Step(u32);

    #[message_handler(Step)]
    async fn first(Step(number): Step, calls: State<Calls>) {
        tokio::time::sleep(Duration::from_millis(u64::from(40 - 10 * number))).await;
        calls.add(format!("bus {number}"));
    }

    #[message_handler(Step, retry = "none")]
    async fn fails(_step: Step) -> Result<(), String> {
        Err("no".to_owned())
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        let session = bus.session("job").await.unwrap();
        let heard = calls.clone();
        session
            .on(move |Step(number): Step| {
                heard.add(format!("session {number}"));
                async {}
            })
            .await
            .unwrap();
        for number in 0..4 {
            session.publish(&Step(number)).await.unwrap();
        }
        calls.until(8).await;
        let all = calls.all();
        let at = |call: String| all.iter().position(|one| *one == call).unwrap();
        for number in 0..4 {
            assert!(at(format!("bus {number}")) < at(format!("session {number}")), "{all:?}");
            assert!(number == 0 || at(format!("session {}", number - 1)) < at(format!("session {number}")));
        }
        session.end().await;
        bus.shutdown().await;
    }
}

pub(crate) mod the_session_answers_its_commands {
    use super::*;

    #[derive(Debug, Clone, Serialize, Deserialize, Message)]
    #[command("sessions.who", reply = String)]
    struct Who;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[event("sessions.ask")]
    struct Ask;

    #[message_handler(Who)]
    async fn who(_command: Who) -> Result<String, BoxError> {
        Ok("bus".to_owned())
    }

    #[message_handler(Ask)]
    async fn ask(_ask: Ask, bus: Publisher, calls: State<Calls>, metadata: Metadata) -> Result<(), BoxError> {
        let session = metadata.headers().text("bus-session").unwrap_or("none").to_owned();
        calls.add(format!("{session}: {}", bus.execute(Who).await?));
        Ok(())
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let worker = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        let script = arena.app_without_handlers().start().await.unwrap();
        for owner in [&worker, &script] {
            let before = calls.count();
            let session = owner.session("job").await.unwrap();
            assert_eq!(session.execute(Who).await.unwrap(), "bus", "it has none yet");
            session.on_command(|_: Who| async { Ok::<_, BoxError>("session".to_owned()) }).await.unwrap();
            assert_eq!(session.execute(Who).await.unwrap(), "session");
            assert_eq!(owner.execute(Who).await.unwrap(), "bus");
            session.publish(&Ask).await.unwrap();
            worker.publish(&Ask).await.unwrap();
            calls.until(before + 2).await;
            let mut all = calls.all().split_off(before);
            all.sort();
            assert_eq!(all, ["job: session", "none: bus"]);
            only_one(&worker, &script).await;
            session.end().await;
            let session = owner.session("job").await.unwrap();
            assert_eq!(session.execute(Who).await.unwrap(), "bus", "it went with the session");
        }
        script.shutdown().await;
        worker.shutdown().await;
    }

    /// Sessions of one id have one handler of a command, in whatever process they are.
    async fn only_one(worker: &Bus, script: &Bus) {
        for bus in [worker, script] {
            let second = bus.session("job").await.unwrap();
            let added = second.on_command(|_: Who| async { Ok::<_, BoxError>("second".to_owned()) }).await;
            let error = added.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::DuplicateHandler, "{error}");
            assert_eq!(second.execute(Who).await.unwrap(), "session", "the first is there still");
        }
    }
}

pub(crate) mod sessions_of_one_id_are_one {
    use super::*;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[event("sessions.shared", terminal)]
    struct Shared(u32);

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let apps = [arena.app_without_handlers(), arena.app_without_handlers()];
        let [here, there] = apps.map(bus_runtime::App::start);
        let (here, there) = (here.await.unwrap(), there.await.unwrap());
        let mut open = Vec::new();
        for (name, bus) in [("one", &here), ("two", &here), ("three", &there)] {
            let session = bus.session("job").await.unwrap();
            let heard = calls.clone();
            session
                .on(move |Shared(number): Shared| {
                    heard.add(format!("{name} {number}"));
                    async {}
                })
                .await
                .unwrap();
            open.push(session);
        }
        open[0].publish(&Shared(1)).await.unwrap();
        calls.until(3).await;
        open.remove(0).end().await;
        open[1].publish(&Shared(2)).await.unwrap();
        calls.until(5).await;
        for session in open {
            session.end().await;
        }
        let mut all = calls.all();
        all.sort();
        assert_eq!(all, ["one 1", "three 1", "three 2", "two 1", "two 2"]);
        there.shutdown().await;
        here.shutdown().await;
    }
}

pub(crate) mod a_failing_handler_of_a_session_is_called_once {
    use super::*;
    use bus_runtime::HandlerFailed;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[event("sessions.fragile", terminal)]
    struct Fragile(String);

    #[message_handler(HandlerFailed)]
    async fn watch(failed: HandlerFailed, calls: State<Calls>) {
        calls.add(format!("told of {}: {}", failed.handler, failed.error));
    }

    pub(crate) async fn run(arena: Arena) {
        let (calls, told) = (Calls::default(), Calls::default());
        let bus = arena.app(module_path!()).state(told.clone()).start().await.unwrap();
        let session = bus.session("job").await.unwrap();
        let heard = calls.clone();
        session
            .on(move |Fragile(how): Fragile| {
                heard.add(&how);
                async move {
                    match how.as_str() {
                        "error" => Err("no".into()),
                        "panic" => panic!("no hands"),
                        "reject" => Ok(reject("never")),
                        "retry" => Ok(retry()),
                        _ => Ok::<_, BoxError>(ack()),
                    }
                }
            })
            .await
            .unwrap();
        for how in ["error", "panic", "reject", "retry", "fine"] {
            session.publish(&Fragile(how.to_owned())).await.unwrap();
        }
        session.publish(&Fragile("fine".to_owned())).content_type("text/html").await.unwrap();
        session.publish(&Fragile("last".to_owned())).await.unwrap();
        session.end().await;
        assert_eq!(calls.all(), ["error", "panic", "reject", "retry", "fine", "last"]);
        told.until(2).await;
        let mut told = told.all();
        told.sort();
        assert_eq!(told[0], "told of session::sessions.fragile: no");
        assert!(told[1].ends_with("no hands"), "{told:?}");
        let sessions = bus.stats().sessions;
        assert_eq!((sessions.called, sessions.handled, sessions.failed), (7, 2, 2));
        bus.shutdown().await;
    }
}

pub(crate) mod publish_and_wait_waits_for_sessions {
    use super::*;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[event("sessions.awaited", terminal)]
    struct Awaited;

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).start().await.unwrap();
        let session = bus.session("job").await.unwrap();
        let heard = calls.clone();
        session
            .on(move |_: Awaited| {
                let heard = heard.clone();
                async move {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    heard.add("done");
                }
            })
            .await
            .unwrap();
        let settled = session.publish(&Awaited).and_settle().await.unwrap();
        assert_eq!((settled.handled, settled.dead, calls.count()), (1, 0, 1));
        let settled = bus.publish(&Awaited).and_settle().await.unwrap();
        assert_eq!((settled.handled, calls.count()), (0, 1), "it is not of the session");
        drop(session);
        until("the session has ended", || bus.stats().sessions.open == 0).await;
        bus.shutdown().await;
    }
}
