//! An option that is not built yet.

use bus_runtime::prelude::*;

#[react("wiki.#", batch(size = 100, wait = "1s"))]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
