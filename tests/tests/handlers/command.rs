//! Commands: a message whose handler answers, in this process or in another one.

use std::sync::Arc;
use std::time::Duration;

use bus_runtime::prelude::*;
use bus_runtime::{Attempt, Bus, CommandFailure, ErrorKind, HandlerError};
use bus_tests::arena::{Arena, Calls, until};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// An app with the handlers of a module, and one without any: what the first executes stays in the process, what the second
/// executes takes the way over the broker.
pub(crate) async fn here_and_there(arena: &Arena, module: &str, calls: &Calls) -> [Bus; 2] {
    let here = arena.app(module).state(calls.clone()).state(Arc::new(Notify::new())).start().await.unwrap();
    [here, arena.app_without_handlers().start().await.unwrap()]
}

pub(crate) mod the_reply_comes_back {
    use super::*;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.add", reply = u64)]
    struct Add(u64, u64);

    #[message_handler(Add)]
    async fn add(Add(one, other): Add, calls: State<Calls>) -> Result<u64, BoxError> {
        calls.add(one);
        Ok(one + other)
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let [here, there] = here_and_there(&arena, module_path!(), &calls).await;
        for bus in [&here, &there] {
            let sums = (0..20).map(|number| bus.execute(Add(number, 1)).into_future());
            for (number, sum) in futures_util::future::join_all(sums).await.into_iter().enumerate() {
                assert_eq!(sum.unwrap(), number as u64 + 1);
            }
        }
        let [near, far] = [&here, &there].map(|bus| bus.stats().commands);
        assert_eq!((near.executed, near.in_process), (20, 20));
        assert_eq!((far.executed, far.in_process, far.late_replies), (20, 0, 0));
        assert_eq!((here.stats().published, there.stats().published), (0, 20));
        // The answer comes before the settlement.
        let handler = || here.stats().handlers[0].clone();
        until("all are settled", || handler().handled == 40).await;
        assert_eq!((handler().called, handler().failed), (40, 0));
        there.shutdown().await;
        here.shutdown().await;
    }
}

pub(crate) mod an_error_comes_back {
    use super::*;

    #[derive(Clone, Debug, Serialize, Deserialize, Message)]
    #[command("command.fail")]
    struct Fail(String);

    #[derive(Debug)]
    struct OutOfPaper;

    impl std::fmt::Display for OutOfPaper {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("out of paper")
        }
    }

    impl std::error::Error for OutOfPaper {}

    #[message_handler(Fail, timeout = "300ms")]
    async fn fail(Fail(how): Fail, calls: State<Calls>) -> Result<(), HandlerError> {
        calls.add("called");
        match how.as_str() {
            "panic" => panic!("no hands"),
            "timeout" => std::future::pending().await,
            "permanent" => Err(HandlerError::permanent(OutOfPaper)),
            _ => Err(OutOfPaper.into()),
        }
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let [here, there] = here_and_there(&arena, module_path!(), &calls).await;
        let table = [
            ("error", ErrorKind::CommandFailed, "failed", "out of paper"),
            ("panic", ErrorKind::CommandFailed, "panic", ": no hands"),
            ("permanent", ErrorKind::CommandFailed, "failed", "out of paper"),
            ("timeout", ErrorKind::TimedOut, "timeout", "timed out after 300ms"),
        ];
        for (how, kind, reason, text) in table {
            for bus in [&here, &there] {
                let error = bus.execute(Fail(how.to_owned())).await.unwrap_err();
                let failure = CommandFailure::of(&error).expect("it was answered");
                assert_eq!((error.kind(), failure.reason()), (kind, reason), "{how}");
                assert!(failure.error().ends_with(text), "{}", failure.error());
                let of_type = failure.error_type();
                assert!(of_type.ends_with("OutOfPaper") || of_type == reason, "{of_type}");
            }
        }
        here.settled().await.unwrap();
        assert_eq!(calls.count(), 2 * table.len(), "an error is an answer: a command is not tried again");
        let dead = &here.plan().queues[0].dead;
        let dead = dead.trim_start_matches(arena.name("").as_str());
        arena.until_ready(dead, 2).await; // the permanent ones
        there.shutdown().await;
        here.shutdown().await;
    }
}

pub(crate) mod what_cannot_be_handled_is_answered {
    use super::*;
    use bus_runtime::Metadata;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.wrong", reply = u64)]
    struct Wrong(u64);

    /// Another program's idea of the same command.
    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.wrong", reply = String)]
    struct Differently(String);

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.unwanted")]
    struct Unwanted;

    fn never(_metadata: &Metadata) -> bool {
        false
    }

    #[message_handler(Wrong)]
    async fn wrong(Wrong(number): Wrong) -> Result<u64, BoxError> {
        Ok(number)
    }

    #[message_handler(Unwanted, when = never)]
    async fn unwanted(_command: Unwanted) -> Result<(), BoxError> {
        Ok(())
    }

    pub(crate) async fn run(arena: Arena) {
        let [here, there] = here_and_there(&arena, module_path!(), &Calls::default()).await;
        for bus in [&here, &there] {
            let error = bus.execute(Differently("x".to_owned())).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Codec);
            let failure = CommandFailure::of(&error).unwrap();
            assert_eq!(failure.reason(), "decode");
            assert!(failure.error().contains("can't decode the body as Wrong"), "{failure}");
            let error = bus.execute(Unwanted).await.unwrap_err();
            assert_eq!(CommandFailure::of(&error).unwrap().reason(), "filtered");
        }
        there.shutdown().await;
        here.shutdown().await;
    }
}

pub(crate) mod nobody_is_an_error {
    use super::*;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.nobody")]
    struct Nobody;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.hang")]
    struct Hang;

    #[message_handler(Hang)]
    async fn hang(_command: Hang) -> Result<(), String> {
        std::future::pending().await
    }

    pub(crate) async fn run(arena: Arena) {
        let [here, there] = here_and_there(&arena, module_path!(), &Calls::default()).await;
        for bus in [&here, &there] {
            let error = bus.execute(Nobody).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unroutable);
            let error = bus.execute(Hang).timeout(Duration::from_millis(200)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut);
            assert!(CommandFailure::of(&error).is_none(), "nobody has answered");
            assert_eq!((bus.stats().commands.timed_out, bus.stats().commands.failed), (1, 1));
        }
        let publisher = there.publisher();
        there.shutdown().await;
        let error = publisher.execute(Hang).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed);
        drop(here);
    }
}

pub(crate) mod a_command_that_timed_out_does_not_run_later {
    use super::*;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.turn")]
    struct Turn(String);

    #[message_handler(Turn, concurrency = 1)]
    async fn turn(Turn(name): Turn, calls: State<Calls>, go: State<Arc<Notify>>) -> Result<(), BoxError> {
        calls.add(&name);
        if name == "first" {
            go.notified().await;
        }
        Ok(())
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let go = Arc::new(Notify::new());
        let here =
            arena.app(module_path!()).state(calls.clone()).state(Arc::clone(&go)).start().await.unwrap();
        let there = arena.app_without_handlers().start().await.unwrap();
        for (round, bus) in [&here, &there].into_iter().enumerate() {
            let first = tokio::spawn(bus.execute(Turn("first".to_owned())).into_future());
            calls.until(2 * round + 1).await;
            // They wait for the slot: those from there were fetched ahead, or are in the queue.
            for name in ["second", "third", "fourth"] {
                let late = bus.execute(Turn(name.to_owned())).timeout(Duration::from_millis(100));
                assert_eq!(late.await.unwrap_err().kind(), ErrorKind::TimedOut);
            }
            go.notify_one();
            first.await.unwrap().unwrap();
            bus.execute(Turn("last".to_owned())).await.unwrap();
            here.settled().await.unwrap();
            assert_eq!(calls.all()[2 * round..], ["first", "last"]);
        }
        there.shutdown().await;
        here.shutdown().await;
    }
}

pub(crate) mod a_command_may_ask_for_another_attempt {
    use super::*;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.again", reply = u32)]
    struct Again(u32);

    #[message_handler(Again, retry(max = 2, initial = "50ms"))]
    async fn again(Again(wanted): Again, attempt: Attempt) -> Result<u32, HandlerError> {
        if attempt.0 < wanted { Err(HandlerError::transient("not yet")) } else { Ok(attempt.0) }
    }

    pub(crate) async fn run(arena: Arena) {
        let [here, there] = here_and_there(&arena, module_path!(), &Calls::default()).await;
        for bus in [&here, &there] {
            assert_eq!(bus.execute(Again(1)).await.unwrap(), 1);
            assert_eq!(bus.execute(Again(3)).await.unwrap(), 3);
            let error = bus.execute(Again(4)).await.unwrap_err();
            assert_eq!(CommandFailure::of(&error).unwrap().error(), "not yet", "the last attempt answers");
        }
        here.settled().await.unwrap();
        let stats = here.stats();
        let handler = &stats.handlers[0];
        assert_eq!((handler.called, handler.retried, handler.dead_lettered), (14, 8, 0));
        there.shutdown().await;
        here.shutdown().await;
    }
}

pub(crate) mod late_replies_are_dropped_and_counted {
    use super::*;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.slow")]
    struct Slow;

    #[message_handler(Slow)]
    async fn slow(_command: Slow, go: State<Arc<Notify>>, calls: State<Calls>) -> Result<(), BoxError> {
        calls.add("begun");
        go.notified().await;
        calls.add("ended");
        Ok(())
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let go = Arc::new(Notify::new());
        let here =
            arena.app(module_path!()).state(calls.clone()).state(Arc::clone(&go)).start().await.unwrap();
        let there = arena.app_without_handlers().start().await.unwrap();
        let asked = there.execute(Slow).timeout(Duration::from_secs(2));
        assert_eq!(asked.await.unwrap_err().kind(), ErrorKind::TimedOut);
        go.notify_one();
        until("the reply has come", || there.stats().commands.late_replies == 1).await;
        // A handler of this process that has begun goes on as well.
        let asked = here.execute(Slow).timeout(Duration::from_millis(50));
        assert_eq!(asked.await.unwrap_err().kind(), ErrorKind::TimedOut);
        go.notify_one();
        calls.until(4).await;
        here.settled().await.unwrap();
        assert_eq!(here.stats().handlers[0].handled, 2);
        there.shutdown().await;
        here.shutdown().await;
    }
}

pub(crate) mod every_end_is_answered {
    use super::*;
    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.end", reply = u32)]
    struct End(String);

    #[message_handler(End, retry(max = 2, initial = "50ms"))]
    async fn end(End(how): End, attempt: Attempt, calls: State<Calls>) -> Result<u32, HandlerError> {
        calls.add(format!("{how} {attempt}"));
        match (how.as_str(), attempt) {
            ("third", Attempt(3)) => Ok(3),
            ("permanent", _) => Err(HandlerError::permanent("never")),
            ("later", _) => Err(HandlerError::retry_after("not yet", Duration::from_millis(100))),
            ("panic", _) => panic!("out of paper"),
            _ => Err(HandlerError::new("again")),
        }
    }

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.eager")]
    struct Eager;

    /// Without `retry`, there is none, whatever the error wishes.
    #[message_handler(Eager)]
    async fn eager(_command: Eager, calls: State<Calls>) -> Result<(), HandlerError> {
        calls.add("eager");
        Err(HandlerError::transient("again, please"))
    }

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.unwanted")]
    struct Unwanted;

    #[message_handler(Unwanted, when = never)]
    async fn unwanted(_command: Unwanted) -> Result<(), HandlerError> {
        Ok(())
    }

    fn never(_message: &bus_runtime::Metadata) -> bool {
        false
    }

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.received")]
    struct Received;

    #[message_handler(Received, ack = "on_receive")]
    async fn received(_command: Received) -> Result<(), HandlerError> {
        Err(HandlerError::transient("acknowledged already"))
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let [here, there] = here_and_there(&arena, module_path!(), &calls).await;
        let told = |error: &bus_runtime::Error| CommandFailure::of(error).unwrap().to_string();
        let count = |call: &str| calls.all().iter().filter(|other| other.starts_with(call)).count();
        for (round, bus) in [(1, &here), (2, &there)] {
            assert_eq!(bus.execute(End("third".into())).await.unwrap(), 3);
            for (how, text, attempts) in [
                ("always", "again", 3),
                ("permanent", "never", 1),
                ("later", "not yet", 3),
                ("panic", "out of paper", 3),
            ] {
                let error = bus.execute(End(how.into())).await.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::CommandFailed, "{how}");
                assert!(told(&error).contains(text), "{error:?}");
                assert_eq!(count(how), round * attempts, "{how}");
            }
            let error = bus.execute(Eager).await.unwrap_err();
            assert!(told(&error).contains("again, please"), "{error:?}");
            assert_eq!(count("eager"), round);
            let error = bus.execute(Unwanted).await.unwrap_err();
            assert!(told(&error).contains("does not want"), "{error:?}");
            let error = bus.execute(Received).await.unwrap_err();
            assert!(told(&error).contains("acknowledged already"), "{error:?}");
        }
        here.settled().await.unwrap();
        // What failed is with its answer; of the permanent error, there is a dead letter as well.
        let dead: Vec<_> = here.stats().handlers.iter().map(|handler| handler.dead_lettered).collect();
        assert_eq!(dead.iter().sum::<u64>(), 2, "{:?}", here.stats());
        there.shutdown().await;
        here.shutdown().await;
    }
}

pub(crate) mod r9_no_such_handler_is_not_retried {
    use super::*;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.known")]
    struct Known;

    #[message_handler(Known, retry(max = 5, initial = "50ms"))]
    async fn known(_command: Known, calls: State<Calls>) -> Result<(), String> {
        calls.add("called");
        Ok(())
    }

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.unknown")]
    struct Unknown;

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        let error = bus.execute(Unknown).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unroutable, "nobody's queue takes it");

        // A queue takes it, and no handler of that queue is for it.
        let body = serde_json::to_vec(&Unknown).unwrap();
        let sent = bus.publish_raw(arena.name("messages").as_str(), "command.known", body);
        sent.message_type("command.unknown").await.unwrap();
        let dead = bus.plan().queues[0].dead.clone();
        let dead = dead.trim_start_matches(arena.name("").as_str());
        arena.until_ready(dead, 1).await;
        bus.settled().await.unwrap();
        let stats = bus.stats().handlers.remove(0);
        assert_eq!((stats.called, stats.retried), (0, 0));
        assert_eq!(arena.take(dead).await[0].headers.text("bus-reason"), Some("unknown_type"));
        bus.shutdown().await;
    }
}
