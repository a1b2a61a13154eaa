//! A message that arrives later.

use bus_runtime::prelude::*;

#[react("reminder.#")]
async fn remind(key: RoutingKey) {
    println!("{key}");
}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn it_arrives_after_its_delay(bus: TestBus) {
    bus.send(bus.bus().react("reminder.tea", &()).after(Duration::from_secs(240))).await;
    bus.settled().await;
    bus.handler(remind).not_called();
    bus.advance(Duration::from_secs(241)).await;
    bus.handler(remind).called_once();
}
