//! Handlers that are not in quotes, and handlers as a value.

use bus_runtime::prelude::*;

#[bus_runtime::test(handlers(wiki))]
async fn not_in_quotes(bus: TestBus) {
    bus.settled().await;
}

#[bus_runtime::test(handlers = "wiki::*")]
async fn no_list(bus: TestBus) {
    bus.settled().await;
}

fn main() {}
