//! `ordered_by` without quotes.

use bus_runtime::prelude::*;

#[react("order.#", ordered_by = customer)]
async fn on_order(_key: RoutingKey) {}

fn main() {}
