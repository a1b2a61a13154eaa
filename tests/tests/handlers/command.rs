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
