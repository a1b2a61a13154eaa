//! Handlers that are told of the failures of others.

use bus_runtime::HandlerFailed;
use bus_runtime::prelude::*;
use bus_tests::arena::{Arena, Calls};

pub(crate) mod l4_error_handlers_that_fail_do_not_recurse {
    use super::*;

    #[react("failures.start", retry(max = 1, initial = "50ms"))]
    async fn fails() -> Result<(), String> {
        Err("out of paper".to_owned())
    }

    /// It fails itself, and lets another one fail.
    #[message_handler(HandlerFailed, retry(max = 1, initial = "50ms"))]
    async fn watch(failed: HandlerFailed, bus: Publisher, calls: State<Calls>) -> Result<(), BoxError> {
        let name = failed.handler.rsplit("::").next().unwrap_or_default().to_owned();
        calls.add(format!("{name} {}: {} {}", failed.attempt, failed.error, failed.routing_key));
        bus.react("failures.after", &()).now().await?;
        Err("watching fails".into())
    }

    #[react("failures.after", retry = "none")]
    async fn after(calls: State<Calls>) {
        calls.add("after");
        panic!("so does what follows");
    }

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).start().await.unwrap();
        bus.react("failures.start", &()).await.unwrap();
        // Two attempts are told of, each is looked at twice, and each look has its own follow-up.
        calls.until(8).await;
        bus.settled().await.unwrap();
        let mut all = calls.all();
        all.sort();
        let told = |attempt| format!("fails {attempt}: out of paper failures.start");
        let after = || "after".to_owned();
        assert_eq!(all, [after(), after(), after(), after(), told(1), told(1), told(2), told(2)]);
        bus.shutdown().await;
    }
}
