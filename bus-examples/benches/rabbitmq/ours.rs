//! The same work done by Bus.

use std::sync::Arc;

use bus_runtime::prelude::*;
use bus_runtime::{App, Bus};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::common::pages::{PageSaved, Tally, since_the_beginning};
use super::{Place, WINDOW};

/// Many handlers, each with a queue, for one message: `#[react]`, as most handlers are.
macro_rules! spread {
    ($($name:ident)*) => {
        pub(crate) mod spread {
            use super::*;

            $(
                #[react("bench.spread", queue_type = "classic", prefetch = 100)]
                async fn $name(saved: Json<PageSaved>, tally: State<Arc<Tally>>) {
                    tally.add(&saved);
                }
            )*
        }
    };
}

spread! {
    a0 a1 a2 a3 a4 a5 a6 a7 a8 a9 b0 b1 b2 b3 b4 b5 b6 b7 b8 b9 c0 c1 c2 c3 c4 c5 c6 c7 c8 c9
    d0 d1 d2 d3 d4 d5 d6 d7 d8 d9 e0 e1 e2 e3 e4 e5 e6 e7 e8 e9
}

/// How many they are.
pub(crate) const SPREAD: u64 = 50;

pub(crate) fn app(place: &Place, tally: &Arc<Tally>) -> App {
    let mut config = bus_runtime::Config::default();
    config.broker_url = Some(place.url.parse().expect("a URL"));
    config.plan.prefix.clone_from(&place.prefix);
    bus_runtime::app().config(config).state(Arc::clone(tally))
}

pub(crate) async fn start(app: App) -> Bus {
    app.start().await.expect("started")
}

/// Handles so many messages that are in the queues of these handlers.
pub(crate) async fn consume(place: &Place, handlers: &str, tally: &Arc<Tally>, messages: u64) {
    tally.expect(messages);
    let bus = start(app(place, tally).handlers([handlers])).await;
    tally.all().await;
    bus.shutdown().await;
}

/// Publishes so many, as Bus publishes all: confirmed, mandatory and persistent.
pub(crate) async fn publish(bus: &Bus, messages: u64) {
    let mut under_way = FuturesUnordered::new();
    for number in 0..messages {
        under_way.push(bus.publish(&PageSaved::new(number)).into_future());
        if under_way.len() >= WINDOW {
            under_way.next().await.expect("one of them").expect("published");
        }
    }
    while let Some(published) = under_way.next().await {
        published.expect("published");
    }
}

/// Fills the queues of the many handlers.
pub(crate) async fn fill_spread(bus: &Bus, messages: u64) {
    for number in 0..messages / SPREAD {
        bus.react("bench.spread", &PageSaved::new(number)).await.expect("published");
    }
}

/// Publishes at a steady pace and handles.
pub(crate) async fn echo(place: &Place, tally: &Arc<Tally>, messages: u64) {
    tally.time();
    tally.expect(messages);
    let bus = start(app(place, tally).handlers(["*::on_saved"])).await;
    let mut ticks = tokio::time::interval(super::PACE);
    for _ in 0..messages {
        ticks.tick().await;
        let sent = u64::try_from(since_the_beginning().as_nanos()).expect("not so late");
        bus.publish(&PageSaved::new(sent)).await.expect("published");
    }
    tally.all().await;
    bus.shutdown().await;
}
