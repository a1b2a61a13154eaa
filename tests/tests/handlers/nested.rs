//! Commands that handlers execute: inside each other, and on behalf of a message.

use bus_runtime::CommandFailure;
use bus_runtime::prelude::*;
use bus_tests::arena::{Arena, Calls};
use serde::{Deserialize, Serialize};

use crate::command::here_and_there;

pub(crate) mod l2_nested_commands_do_not_deadlock {
    use super::*;

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.ping", reply = u32)]
    struct Ping(u32);

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.pong", reply = u32)]
    struct Pong(u32);

    #[message_handler(Ping, concurrency = 1)]
    async fn ping(Ping(left): Ping, bus: Publisher) -> Result<u32, BoxError> {
        tokio::task::yield_now().await;
        Ok(if left == 0 { 0 } else { bus.execute(Pong(left - 1)).await? + 1 })
    }

    #[message_handler(Pong, concurrency = 1)]
    async fn pong(Pong(left): Pong, bus: Publisher) -> Result<u32, BoxError> {
        Ok(if left == 0 { 0 } else { bus.execute(Ping(left - 1)).await? + 1 })
    }

    pub(crate) async fn run(arena: Arena) {
        let [here, there] = here_and_there(&arena, module_path!(), &Calls::default()).await;
        for bus in [&here, &there] {
            // Both ways at once: each holds the only slot of the other's next call.
            let both = [bus.execute(Ping(20)).into_future(), bus.execute(Ping(21)).into_future()];
            let replies = futures_util::future::join_all(both).await;
            let replies: Vec<u32> = replies.into_iter().map(Result::unwrap).collect();
            assert_eq!(replies, [20, 21]);
            assert_eq!(bus.execute(Pong(7)).await.unwrap(), 7);
            let error = bus.execute(Ping(u32::MAX)).await.unwrap_err();
            let text = CommandFailure::of(&error).unwrap().error().to_owned();
            assert!(text.contains("inside each other"), "{text}");
        }
        there.shutdown().await;
        here.shutdown().await;
    }
}

pub(crate) mod a_command_inherits_and_goes_out_at_once {
    use super::*;
    use bus_runtime::{Context, Metadata};

    #[derive(Debug, Serialize, Deserialize, Message)]
    #[command("command.context", reply = String)]
    struct Tell;

    #[message_handler(Tell)]
    async fn tell(_command: Tell, context: Context, metadata: Metadata) -> Result<String, BoxError> {
        let conversation = metadata.correlation_id().unwrap_or_default();
        Ok(format!("{} {conversation}", context.project_id().unwrap_or_default()))
    }

    #[react("command.context.start")]
    async fn start(bus: Publisher, calls: State<Calls>) -> Result<(), BoxError> {
        calls.add(bus.execute(Tell).await?);
        Ok(())
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let tells = format!("{}::tell", module_path!());
        let starts = format!("{}::start", module_path!());
        let app = || arena.app(module_path!()).state(calls.clone());
        // First both in one process, then each in one of its own.
        for handlers in [vec![vec![&tells, &starts]], vec![vec![&tells], vec![&starts]]] {
            let before = calls.count();
            let mut apps = Vec::new();
            for handlers in &handlers {
                apps.push(app().handlers(handlers.iter().map(|name| (*name).clone())).start().await.unwrap());
            }
            apps[0].react("command.context.start", &()).context("p1", "wiki").message_id("m1").await.unwrap();
            calls.until(before + 1).await;
            assert_eq!(calls.all()[before], "p1 m1", "with {} apps", apps.len());
            for app in apps {
                app.shutdown().await;
            }
        }
    }
}
