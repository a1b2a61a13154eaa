//! A kind that routes by headers.

use bus_runtime::prelude::*;

#[react("wiki.#", exchange = "events", exchange_kind = "headers")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
