//! Commands: a message whose handler answers.

use std::time::Duration;

use bus_runtime::ErrorKind;
use bus_runtime::prelude::*;
use bus_tests::arena::{Arena, Calls};
use serde::{Deserialize, Serialize};

pub(crate) mod the_reply_comes_back {
    use super::*;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.add", reply = u64)]
    struct Add(u64, u64);

    #[message_handler(Add)]
    async fn add(Add(one, other): Add) -> Result<u64, BoxError> {
        Ok(one + other)
    }

    pub(crate) async fn run(arena: Arena) {
        let bus = arena.app(module_path!()).start().await.unwrap();
        let sums = (0..20).map(|number| bus.execute(Add(number, 1)).into_future());
        for (number, sum) in futures_util::future::join_all(sums).await.into_iter().enumerate() {
            assert_eq!(sum.unwrap(), number as u64 + 1);
        }
        bus.shutdown().await;
    }
}

pub(crate) mod an_error_comes_back {
    use super::*;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.fail")]
    struct Fail;

    #[message_handler(Fail)]
    async fn fail(_command: Fail, calls: State<Calls>) -> Result<(), String> {
        calls.add("called");
        Err("out of paper".to_owned())
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        let error = bus.execute(Fail).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::CommandFailed);
        assert!(error.to_string().contains("out of paper"), "{error}");
        bus.settled().await.unwrap();
        assert_eq!(calls.count(), 1, "an error is an answer: the command is not tried again");
        bus.shutdown().await;
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
        let bus = arena.app(module_path!()).start().await.unwrap();
        let error = bus.execute(Nobody).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unroutable);
        let error = bus.execute(Hang).timeout(Duration::from_millis(200)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        drop(bus);
    }
}

pub(crate) mod every_end_is_answered {
    use super::*;
    use bus_runtime::{Attempt, HandlerError};

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
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        let count = |call: &str| calls.all().iter().filter(|other| other.starts_with(call)).count();
        assert_eq!(bus.execute(End("third".into())).await.unwrap(), 3);
        for (how, text, attempts) in [
            ("always", "again", 3),
            ("permanent", "never", 1),
            ("later", "not yet", 3),
            ("panic", "out of paper", 3),
        ] {
            let error = bus.execute(End(how.into())).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CommandFailed, "{how}");
            assert!(error.to_string().contains(text), "{error}");
            assert_eq!(count(how), attempts, "{how}");
        }
        let error = bus.execute(Eager).await.unwrap_err();
        assert!(error.to_string().contains("again, please"), "{error}");
        assert_eq!(count("eager"), 1);
        let error = bus.execute(Unwanted).await.unwrap_err();
        assert!(error.to_string().contains("did not want"), "{error}");
        let error = bus.execute(Received).await.unwrap_err();
        assert!(error.to_string().contains("acknowledged already"), "{error}");
        bus.settled().await.unwrap();
        // What failed is with its answer; of the permanent error, there is a dead letter as well.
        let dead: Vec<_> = bus.stats().handlers.iter().map(|handler| handler.dead_lettered).collect();
        assert_eq!(dead.iter().sum::<u64>(), 1, "{:?}", bus.stats());
        bus.shutdown().await;
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
