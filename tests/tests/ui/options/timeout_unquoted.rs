//! A duration without its quotes.

use bus_runtime::prelude::*;

#[react("wiki.#", timeout = 30s)]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
