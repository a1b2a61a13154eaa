//! A filter: what the handler does not want is acknowledged and counted.

use bus_runtime::Metadata;
use bus_runtime::prelude::*;

fn is_urgent(message: &Metadata) -> bool {
    message.headers().text("urgent").is_some()
}

#[react("alarm.#", when = is_urgent)]
async fn wake(key: RoutingKey) {
    println!("wake up: {key}");
}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn only_what_is_urgent_wakes_anybody(bus: TestBus) {
    bus.react("alarm.drill", &()).await;
    bus.send(bus.bus().react("alarm.fire", &()).header("urgent", "yes")).await;
    bus.settled().await;
    bus.handler(wake).called_once();
}
