//! A kind of no exchange.

use bus_runtime::prelude::*;

#[react("wiki.#", exchange_kind = "direct")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
