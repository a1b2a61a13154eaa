//! A direct exchange knows no wildcards.

use bus_runtime::prelude::*;

#[react("wiki.#", exchange = "events", exchange_kind = "direct")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
