//! `ordered_by` with a word that one of the binding keys does not capture.

use bus_runtime::prelude::*;

#[react("order.#", ordered_by = "{customer}")]
async fn on_order(_key: RoutingKey) {}

fn main() {}
