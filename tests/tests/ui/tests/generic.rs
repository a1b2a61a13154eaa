//! A generic test.

use bus_runtime::prelude::*;

#[bus_runtime::test]
async fn it_is_called<T: Default>(bus: TestBus, value: State<T>) {
    drop((bus, value));
}

fn main() {}
