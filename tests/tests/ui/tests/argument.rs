//! What a test cannot take: a handler's argument, and virtual time on a real broker.

use bus_runtime::prelude::*;
use bus_runtime::testing::FromTestBus;

fn take<T: FromTestBus<RealTime>>(bus: &TestBus<RealTime>) -> T {
    T::from_test_bus(bus)
}

fn on_rabbitmq(bus: &TestBus<RealTime>) {
    take::<TestBus>(bus);
    take::<RoutingKey>(bus);
}

fn main() {
    drop(on_rabbitmq);
}
