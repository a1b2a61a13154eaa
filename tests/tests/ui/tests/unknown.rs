//! A misspelt option, and one of another attribute.

use bus_runtime::prelude::*;

#[bus_runtime::test(handler("wiki::*"), start_paused = true)]
async fn it_is_called(bus: TestBus) {
    bus.settled().await;
}

fn main() {}
