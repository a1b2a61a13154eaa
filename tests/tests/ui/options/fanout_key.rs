//! A fanout exchange knows no keys.

use bus_runtime::prelude::*;

#[react("wiki.#", exchange = "events", exchange_kind = "fanout")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
