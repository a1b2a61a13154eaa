//! `ordered_by` where the whole queue is in order anyway.

use bus_runtime::prelude::*;

#[react("order.#", ordered_by = "customer", concurrency = 1)]
async fn on_order(_key: RoutingKey) {}

fn main() {}
