//! Layers around handlers: one of one's own, and one that is ready.

use bus_runtime::prelude::*;
use bus_runtime::{App, middleware};

pub(crate) fn add_to(app: App) -> App {
    let only_known = middleware::from_fn(|delivery, next| async move {
        match delivery.metadata().headers().text("customer") {
            Some(_) => next.run(delivery).await,
            None => reject("who are you?"),
        }
    });
    app.layer_on("*::greet", middleware::logging()).layer_on("*::greet", only_known)
}

#[react("visit.#")]
async fn greet() {}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn strangers_are_not_greeted(bus: TestBus) {
    bus.react("visit.1", &()).await;
    bus.send(bus.bus().react("visit.2", &()).header("customer", "ada")).await;
    bus.settled().await;
    bus.handler(greet).handled(1);
    assert_eq!(bus.dead_letters().one().error(), "who are you?");
}
