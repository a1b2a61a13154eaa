//! No call at all.

use bus_runtime::prelude::*;

#[react("wiki.#", concurrency = 0)]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
