//! A message that comes twice with one key is handled once.

use bus_runtime::prelude::*;
use bus_runtime::{App, MemoryStore};

pub(crate) fn add_to(app: App) -> App {
    app.idempotency(MemoryStore::new())
}

#[react("gift.#")]
async fn give() {}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn a_gift_is_given_once(bus: TestBus) {
    for _ in 0..2 {
        bus.send(bus.bus().react("gift.book", &()).idempotency_key("order-7")).await;
    }
    bus.settled().await;
    bus.handler(give).called_once();
}
