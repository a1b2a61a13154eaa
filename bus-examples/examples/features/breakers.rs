//! A handler whose work fails again and again rests: its messages stay in the broker.

use bus_runtime::prelude::*;

#[react("charge.#", breaker(failures = 2, window = "1m", pause = "30s"), retry(initial = "1s"))]
async fn charge() -> Result<(), String> {
    Ok(())
}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn it_rests_and_then_handles_what_has_waited(bus: TestBus) {
    bus.handler(charge).fails_with("the bank is away").times(2);
    bus.react("charge.1", &()).await;
    bus.react("charge.2", &()).await;
    bus.settled().await;
    bus.react("charge.3", &()).await;
    bus.advance(Duration::from_secs(20)).await;
    bus.handler(charge).called(2);
    bus.advance(Duration::from_secs(40)).await;
    bus.handler(charge).called(5);
    bus.dead_letters().none();
}
