//! `ordered_by` with a captured word, where there is no binding key.

use bus_runtime::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize, Message)]
#[event("order.placed")]
struct OrderPlaced {
    customer: u64,
}

#[message_handler(OrderPlaced, ordered_by = "{customer}")]
async fn on_order(_order: OrderPlaced) {}

fn main() {}
