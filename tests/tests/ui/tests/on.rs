//! Brokers that there are not, are listed twice, are in quotes, or are none.

use bus_runtime::prelude::*;

#[bus_runtime::test(on(embedded, kafka, embedded))]
async fn unknown(bus: TestBus<RealTime>) {
    bus.settled().await;
}

#[bus_runtime::test(on("rabbitmq"))]
async fn in_quotes(bus: TestBus<RealTime>) {
    bus.settled().await;
}

#[bus_runtime::test(on())]
async fn none(bus: TestBus<RealTime>) {
    bus.settled().await;
}

fn main() {}
