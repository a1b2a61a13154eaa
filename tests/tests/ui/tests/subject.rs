//! Handlers that are chosen without saying so.

use bus_runtime::prelude::*;

#[bus_runtime::test("wiki::*")]
async fn it_is_called(bus: TestBus) {
    bus.settled().await;
}

fn main() {}
