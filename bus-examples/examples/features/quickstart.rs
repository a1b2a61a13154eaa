//! A handler and its test.

use bus_runtime::prelude::*;

#[react("hello.#")]
async fn on_hello(key: RoutingKey, data: Json) {
    println!("{key}: {data}");
}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn it_is_called_for_what_it_binds(bus: TestBus) {
    bus.react("hello.world", &"hi").await;
    bus.react("goodbye.world", &"bye").await;
    bus.settled().await;
    bus.handler(on_hello).called_once();
}
