//! A handler and its test.

use bus_runtime::prelude::*;

#[react("hello.#")]
async fn on_hello(key: RoutingKey, data: Json) {
    println!("{key}: {data}");
}

#[cfg(test)]
#[tokio::test(start_paused = true)]
async fn it_is_called_for_what_it_binds() {
    let bus = TestBus::start(crate::app()).await;
    bus.react("hello.world", &"hi").await;
    bus.react("goodbye.world", &"bye").await;
    bus.settled().await;
    bus.handler(on_hello).called_once();
}
