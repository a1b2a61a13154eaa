//! Two handlers that share a queue: one after the other by priority, and only the one that failed is called again.

use bus_runtime::prelude::*;

#[react("cake.#", queue = "kitchen", priority = 2)]
async fn bake() {}

#[react("cake.#", queue = "kitchen", priority = 1, retry(max = 1, initial = "1s"))]
async fn ice() -> Result<(), String> {
    Err("no sugar".to_owned())
}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn only_icing_is_tried_again(bus: TestBus) {
    bus.react("cake.apple", &()).await;
    bus.advance(Duration::from_secs(5)).await;
    bus.handler(bake).called_once();
    bus.handler(ice).called(2);
    assert_eq!(bus.dead_letters().one().queue(), "kitchen");
}
