//! What a handler publishes is sent when it has succeeded, and not at all when it fails.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[event("order.paid", terminal)]
struct OrderPaid(u64);

#[react("order.{number}.pay", retry = "none")]
async fn pay(number: u64, bus: Publisher) -> Result<(), BoxError> {
    bus.publish(&OrderPaid(number)).await?;
    if number == 13 { Err("the card was refused".into()) } else { Ok(()) }
}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn a_refused_card_pays_for_nothing(bus: TestBus) {
    bus.react("order.12.pay", &()).await;
    bus.react("order.13.pay", &()).await;
    bus.settled().await;
    bus.handler(pay).called(2);
    assert_eq!(bus.published::<OrderPaid>().one().0, 12);
}
