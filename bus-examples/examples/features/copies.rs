//! Every process has a copy (`fanout`), and one worker at a time has the queue (`single_active`). A script waits for both.

use bus_runtime::prelude::*;

#[react("config.changed", fanout = "each")]
async fn reload() {}

#[react("config.changed", single_active = true)]
async fn archive() {}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn publishing_waits_until_all_are_done(bus: TestBus) {
    let settled = bus.bus().react("config.changed", &()).and_settle().await.unwrap();
    assert_eq!((settled.handled, settled.dead), (2, 0));
    bus.handler(reload).called_once();
    bus.handler(archive).called_once();
}
