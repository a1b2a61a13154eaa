//! What an app says about itself over HTTP.

use bus_runtime::prelude::*;
use bus_runtime::{AdminPort, Shutdown};
use bus_tests::arena::{Arena, Calls};
use bus_tests::http::{get, get_as};

fn free() -> AdminPort {
    AdminPort::parse("127.0.0.1:0").unwrap()
}

pub(crate) mod ready_then_draining {
    use super::*;

    #[react("health.#")]
    async fn slow(mut shutdown: Shutdown, calls: State<Calls>) {
        calls.add("begun");
        shutdown.begins().await;
        calls.add("told");
        bus_tests::arena::until("the test to let it end", || calls.count() == 3).await;
    }

    #[audit("health.#")]
    async fn other() {}

    pub(crate) async fn run(arena: Arena) {
        let calls = Calls::default();
        let bus = arena.app(module_path!()).state(calls.clone()).http(free()).start().await.unwrap();
        let at = bus.admin_address().unwrap();
        let (status, ready) = get(at, "/readyz").await;
        assert_eq!((status, ready["status"].as_str()), (200, Some("ready")), "{ready}");
        let consumers = ready["consumers"].as_array().unwrap();
        let queues: Vec<_> = bus.plan().queues.iter().map(|queue| queue.name.to_string()).collect();
        assert_eq!(consumers.len(), queues.len() + 1, "{ready}");
        for queue in &queues {
            assert!(
                consumers.iter().any(|one| one["queue"] == **queue && one["receiving"] == true),
                "{ready}"
            );
        }
        assert_eq!(get(at, "/livez").await.0, 200);
        assert_eq!(get(at, "/healthz").await, (200, ready));

        // A page of the web that has tricked a browser into asking learns nothing.
        let (status, told) = get_as(at, "/healthz", "evil.example").await;
        assert_eq!(status, 200);
        assert!(told.contains("ready") && !told.contains("broker") && !told.contains(&queues[0]), "{told}");

        bus.react("health.x", &()).await.unwrap();
        calls.until(1).await;
        let drained = tokio::spawn(bus.shutdown());
        calls.until(2).await;
        let (status, told) = get(at, "/readyz").await;
        assert_eq!((status, told["status"].as_str()), (503, Some("draining")), "{told}");
        assert_eq!(get(at, "/livez").await.0, 200, "it is worth keeping until it has drained");
        calls.add("let go");
        assert!(drained.await.unwrap().is_clean());
        let closed = tokio::net::TcpStream::connect(at).await;
        assert!(closed.is_err(), "the port ends with the app");
    }
}

pub(crate) mod a_worker_that_ended_is_dead {
    use std::task::{Context, Poll};

    use bus_runtime::Delivery;
    use bus_runtime::middleware::HandlerService;
    use tower_service::Service;

    use super::*;

    #[react("dead.#")]
    async fn never() {}

    /// A layer that takes its worker with it.
    struct Breaks;

    impl Service<Delivery> for Breaks {
        type Response = Outcome;
        type Error = BoxError;
        type Future = std::future::Ready<Result<Outcome, BoxError>>;

        fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            panic!("a mistake in a layer")
        }

        fn call(&mut self, _delivery: Delivery) -> Self::Future {
            unreachable!("it is never ready")
        }
    }

    pub(crate) async fn run(arena: Arena) {
        let layer = tower_layer::layer_fn(|_: HandlerService| Breaks);
        let bus = arena.app(module_path!()).layer(layer).http(free()).start().await.unwrap();
        let at = bus.admin_address().unwrap();
        bus_tests::arena::until("the worker to end", || !bus.health().is_live()).await;
        let (status, told) = get(at, "/livez").await;
        assert_eq!((status, told["status"].as_str()), (503, Some("dead")), "{told}");
        let problem = told["problems"][0].as_str().unwrap();
        assert!(problem.contains("only a restart brings it back"), "{told}");
        assert_eq!(get(at, "/readyz").await.0, 503);
        bus.shutdown().await;
    }
}
