//! A queue of one's own, bound to an exchange of others. It had another name once.

use bus_runtime::prelude::*;

#[react("archive.*", exchange = "copilot.events", formerly = "features::archive::on_ingested")]
async fn on_archive(key: RoutingKey) {
    println!("{key}");
}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn what_others_publish_there_comes_here(bus: TestBus) {
    bus.publish_raw("copilot.events", "archive.ingested", "{}").await;
    bus.settled().await;
    bus.handler(on_archive).called_once();
}
