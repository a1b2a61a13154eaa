//! Methods as handlers, of one instance.

use bus_runtime::prelude::*;

pub(crate) struct Shop {
    pub(crate) name: String,
}

#[controller("shop")]
impl Shop {
    #[audit("shop.sell.{thing}")]
    async fn sell(&self, thing: String) -> Result<(), String> {
        if thing == "sold_out" { Err(format!("{} has no more of it", self.name)) } else { Ok(()) }
    }

    #[react("shop.opened")]
    async fn greet() {}
}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn methods_are_called_for_their_instance(bus: TestBus) {
    bus.audit("shop.sell.bread", &()).await;
    bus.react("shop.opened", &()).await;
    bus.settled().await;
    bus.handler(Shop::sell).called_once();
    bus.handler(Shop::greet).called_once();
}
