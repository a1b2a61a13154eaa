//! A broker that is a program of its own knows no virtual time.

use bus_runtime::prelude::*;

async fn on_rabbitmq(bus: TestBus<RealTime>) {
    bus.advance(Duration::from_secs(5)).await;
    bus.drop_connection();
}

fn main() {
    drop(on_rabbitmq);
}
