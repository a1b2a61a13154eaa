//! Fewer messages than calls.

use bus_runtime::prelude::*;

#[react("wiki.#", concurrency = 16, prefetch = 4)]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
