//! More retries than the broker allows deliveries.

use bus_runtime::prelude::*;

#[react("wiki.#", retry(max = 91))]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
