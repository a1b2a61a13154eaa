//! An option that is not built yet.

use bus_runtime::prelude::*;

#[react("wiki.#", breaker(failures = 5, window = "1m", pause = "30s"))]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
