//! A test that is no `async fn`.

use bus_runtime::prelude::*;

#[bus_runtime::test]
fn it_is_called(bus: TestBus) {
    drop(bus);
}

fn main() {}
