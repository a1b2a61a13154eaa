//! What rises and falls as Prometheus sees it, and who may see it.

use bus_runtime::{ErrorKind, HandlerRegistration, prelude::*};
use bus_tests::arena::{Arena, Calls};
use bus_tests::http::ask;
use tokio::sync::watch;

use crate::metrics::{check, start, until};

/// Keeps handlers waiting until it is opened.
#[derive(Clone)]
struct Gate(watch::Sender<bool>);

impl Gate {
    fn closed() -> Self {
        Self(watch::Sender::new(false))
    }

    async fn pass(&self) {
        let _ = self.0.subscribe().wait_for(|open| *open).await;
    }
}

pub(crate) mod o5_levels_rise_and_fall {
    use super::*;

    #[react("metrics.level", max_length = 5, concurrency = 1, prefetch = 1)]
    async fn slow(gate: State<Gate>, calls: State<Calls>) {
        calls.add("begun");
        gate.pass().await;
    }

    pub(crate) async fn run(arena: Arena) {
        let (gate, calls) = (Gate::closed(), Calls::default());
        let (bus, at) = start(arena.app(module_path!()).state(gate.clone()).state(calls.clone())).await;
        bus.react("metrics.level", &()).await.unwrap();
        calls.until(1).await;
        // A broker refuses a little later than it should.
        let mut refused = 0;
        while refused == 0 {
            match bus.react("metrics.level", &()).await {
                Ok(()) => {}
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Nacked, "{error}");
                    refused += 1;
                }
            }
        }
        let queue = [("queue", bus.plan().queues[0].name.as_str())];
        let high = until(at, "backpressure_active", &queue, 1.0).await;
        check(
            &high,
            &[
                ("bus_handler_in_flight", &[("handler", "slow")], 1.0),
                ("queue_size", &[("queue", "local")], 1.0),
            ],
        );
        assert_eq!(high.value("bus_publish_nacked_total", &[]), Some(1.0));
        assert_eq!(
            high.value("messaging_client_sent_messages_total", &[("error_type", "nacked")]),
            Some(1.0)
        );
        let ready = arena.ready(queue[0].1.trim_start_matches(arena.name("").as_str())).await;
        assert!(ready >= 5, "{ready}");
        until(at, "queue_size", &queue, ready as f64).await;
        gate.0.send_replace(true);
        let low = until(at, "backpressure_active", &queue, 0.0).await;
        drop(low);
        until(at, "queue_size", &queue, 0.0).await;
        until(at, "bus_handler_in_flight", &[("handler", "slow")], 0.0).await;
        bus.shutdown().await;
    }
}

pub(crate) mod o5_open_sessions_are_counted {
    use super::*;

    #[react("metrics.session")]
    async fn bystander() {}

    pub(crate) async fn run(arena: Arena) {
        let (bus, at) = start(arena.app(module_path!())).await;
        let (one, other) = (bus.session("one").await.unwrap(), bus.session("other").await.unwrap());
        drop(until(at, "active_sessions", &[], 2.0).await);
        one.end().await;
        drop(until(at, "active_sessions", &[], 1.0).await);
        drop(other);
        drop(until(at, "active_sessions", &[], 0.0).await);
        bus.shutdown().await;
    }
}

pub(crate) mod o5_a_breaker_is_shown {
    use super::*;

    #[react(
        "metrics.breaker",
        breaker(failures = 1, window = "1m", pause = "300ms"),
        on_error = "dead_letter",
        concurrency = 1
    )]
    async fn fragile(gate: State<Gate>, calls: State<Calls>) -> Result<(), &'static str> {
        calls.add("begun");
        if calls.count() == 1 {
            return Err("away");
        }
        gate.pass().await;
        Ok(())
    }

    pub(crate) async fn run(arena: Arena) {
        let (gate, calls) = (Gate::closed(), Calls::default());
        let (bus, at) = start(arena.app(module_path!()).state(gate.clone()).state(calls.clone())).await;
        let state = ("circuit_breaker_state", [("handler", "fragile")]);
        bus.react("metrics.breaker", &()).await.unwrap();
        let open = until(at, state.0, &state.1, 2.0).await;
        assert!(open.value("bus_dead_lettered_total", &[("reason", "failed")]).is_some());
        bus.react("metrics.breaker", &()).await.unwrap();
        calls.until(2).await;
        until(at, state.0, &state.1, 1.0).await;
        gate.0.send_replace(true);
        until(at, state.0, &state.1, 0.0).await;
        bus.shutdown().await;
    }
}

pub(crate) mod a_token_opens_the_metrics {
    use super::*;

    pub(crate) async fn run(arena: Arena) {
        let (bus, at) = start(arena.app_without_handlers()).await;
        let (status, _, body) = ask(at, "/metrics", &[("Host", "evil.example")]).await;
        assert_eq!(status, 403, "a page of the web asks by the name of its own host: {body}");
        bus.shutdown().await;

        let mut config = arena.config();
        config.metrics.token = Some("s3cret".to_owned());
        let (bus, at) = start(arena.app_without_handlers().config(config)).await;
        let elsewhere = ("Host", "metrics.example");
        let (status, head, body) = ask(at, "/metrics", &[elsewhere]).await;
        assert_eq!(status, 401, "{body}");
        assert!(head.to_lowercase().contains("www-authenticate: bearer"), "{head}");
        for (shown, wanted) in
            [("Bearer s3cre", 401), ("Bearer S3cret", 401), ("s3cret", 401), ("Bearer s3cret", 200)]
        {
            for path in ["/metrics", "/metrics.json"] {
                let (status, ..) = ask(at, path, &[elsewhere, ("Authorization", shown)]).await;
                assert_eq!(status, wanted, "{shown} {path}");
            }
        }
        assert_eq!(ask(at, "/metrics", &[]).await.0, 200, "whoever is on this machine needs none");
        bus.shutdown().await;
    }
}

pub(crate) mod a_prefix_and_a_sample {
    use super::*;

    #[react("metrics.sample")]
    async fn sampled() {}

    pub(crate) async fn run(arena: Arena) {
        let mut config = arena.config();
        config.metrics.prefix = "forge_".to_owned();
        config.metrics.one_of = 0;
        let registration =
            HandlerRegistration::linked().find(|one| one.id().module == module_path!()).unwrap();
        let app = arena.app_without_handlers().register(*registration).config(config);
        let (bus, at) = start(app).await;
        bus.react("metrics.sample", &()).await.unwrap();
        let scraped = until(at, "forge_events_processed_total", &[], 1.0).await;
        assert_eq!(scraped.value("events_processed_total", &[]), None);
        assert_eq!(
            scraped.value("forge_event_processing_duration_seconds_count", &[]),
            Some(0.0),
            "none is timed"
        );
        #[cfg(target_os = "linux")]
        assert!(scraped.value("process_threads", &[]).is_some(), "every program has these");
        bus.shutdown().await;
    }
}
