//! A duration in prose.

use bus_runtime::prelude::*;

#[react("wiki.#", timeout = "30 seconds")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
