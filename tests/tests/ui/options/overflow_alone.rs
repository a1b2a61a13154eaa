//! A limit that is missing.

use bus_runtime::prelude::*;

#[react("wiki.#", overflow = "drop-head")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
