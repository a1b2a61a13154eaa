//! A test that borrows its bus.

use bus_runtime::prelude::*;

#[bus_runtime::test]
async fn it_is_called(bus: &TestBus) {
    bus.settled().await;
}

fn main() {}
