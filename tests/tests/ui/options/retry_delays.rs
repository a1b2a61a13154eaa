//! A longest delay that is shorter than the first.

use bus_runtime::prelude::*;

#[react("wiki.#", retry(initial = "5m", max_delay = "1m"))]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
