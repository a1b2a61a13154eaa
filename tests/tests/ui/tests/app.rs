//! An app that is not said.

use bus_runtime::prelude::*;

#[bus_runtime::test(app)]
async fn it_is_called(bus: TestBus) {
    bus.settled().await;
}

fn main() {}
