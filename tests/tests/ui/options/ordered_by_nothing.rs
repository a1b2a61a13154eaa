//! `ordered_by` with a name that is empty.

use bus_runtime::prelude::*;

#[react("order.#", ordered_by = "customer..id")]
async fn on_order(_key: RoutingKey) {}

fn main() {}
