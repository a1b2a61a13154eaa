//! Messages of one account in their order, those of others beside them.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[event("account.moved")]
struct Moved {
    account: u64,
    cents: i64,
}

#[message_handler(Moved, ordered_by = "account")]
async fn book(moved: Moved) {
    println!("{}: {:+}", moved.account, moved.cents);
}

#[cfg(test)]
#[bus_runtime::test(app = crate::app)]
async fn every_movement_is_booked(bus: TestBus) {
    for (account, cents) in [(1, 500), (2, 700), (1, -500)] {
        bus.publish(&Moved { account, cents }).await;
    }
    bus.settled().await;
    bus.handler(book).called(3);
}
