//! Commands that are looked on at, and commands that come too late for another attempt.

use std::time::Duration;

use bus_runtime::ErrorKind;
use bus_runtime::prelude::*;
use bus_tests::arena::{Arena, Calls, until};
use serde::{Deserialize, Serialize};

use crate::command::here_and_there;

pub(crate) mod a_retried_command_that_timed_out_does_not_run_later {
    use super::*;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.retried.late")]
    struct Late;

    #[message_handler(Late, retry(max = 3, initial = "1200ms", jitter = 0))]
    async fn late(_command: Late, calls: State<Calls>) -> Result<(), BoxError> {
        calls.add("called");
        Err("not yet".into())
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let [here, there] = here_and_there(&arena, module_path!(), &calls).await;
        for (round, bus) in [&here, &there].into_iter().enumerate() {
            let error = bus.execute(Late).timeout(Duration::from_millis(800)).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
            // The second attempt comes, and is not made.
            until("it has expired", || here.stats().handlers[0].expired == round as u64 + 1).await;
            assert_eq!(calls.count(), round + 1);
        }
        here.settled().await.unwrap();
        there.shutdown().await;
        here.shutdown().await;
    }
}

pub(crate) mod whoever_listens_hears_of_commands {
    use super::*;
    use bus_runtime::{CommandFinished, CommandStarted};

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.watched", reply = u32)]
    struct Watched(u32);

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.watched.too", reply = u32)]
    struct Other;

    #[message_handler(Watched)]
    async fn watched(Watched(number): Watched) -> Result<u32, BoxError> {
        if number == 0 { Err("nothing".into()) } else { Ok(number) }
    }

    #[message_handler(Other)]
    async fn other(_command: Other) -> Result<u32, BoxError> {
        Ok(1)
    }

    /// It executes a command itself, and fails: nobody is told of either.
    #[message_handler(CommandStarted, retry = "none")]
    async fn started(event: CommandStarted, bus: Publisher, calls: State<Calls>) -> Result<(), BoxError> {
        calls.add(format!("{} begins ({})", event.command, event.attempt));
        bus.execute(Other).await?;
        Err("so what".into())
    }

    #[message_handler(CommandFinished)]
    async fn finished(event: CommandFinished, calls: State<Calls>) {
        calls.add(format!("{} ends: {:?}", event.command, event.error));
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let [here, there] = here_and_there(&arena, module_path!(), &calls).await;
        for bus in [&here, &there] {
            let before = calls.count();
            bus.execute(Watched(1)).await.unwrap();
            bus.execute(Watched(0)).await.unwrap_err();
            calls.until(before + 4).await;
            here.settled().await.unwrap();
            let mut all = calls.all().split_off(before);
            all.sort();
            let begins = || "command.watched begins (1)".to_owned();
            let ends = |error: &str| format!("command.watched ends: {error}");
            assert_eq!(all, [begins(), begins(), ends("None"), ends("Some(\"nothing\")")]);
        }
        there.shutdown().await;
        here.shutdown().await;
    }
}

pub(crate) mod nobody_is_told_of_commands_when_nobody_listens {
    use super::*;
    use bus_runtime::CommandFinished;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.unwatched")]
    struct Unwatched;

    #[message_handler(Unwatched)]
    async fn unwatched(_command: Unwatched) -> Result<(), BoxError> {
        Ok(())
    }

    pub(crate) async fn run(arena: Arena) {
        let heard = Calls::default();
        let bus = arena.app(module_path!()).start().await.unwrap();
        for _ in 0..20 {
            bus.execute(Unwatched).await.unwrap();
        }
        bus.settled().await.unwrap();
        // A session of the command listens, and nobody else.
        let session = bus.session("job").await.unwrap();
        let calls = heard.clone();
        session
            .on(move |event: CommandFinished| {
                calls.add(event.command);
                async {}
            })
            .await
            .unwrap();
        bus.execute(Unwatched).await.unwrap();
        session.execute(Unwatched).await.unwrap();
        heard.until(1).await;
        session.end().await;
        assert_eq!(heard.all(), ["command.unwatched"]);
        bus.shutdown().await;
    }
}
