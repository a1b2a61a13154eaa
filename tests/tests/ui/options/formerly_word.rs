//! A name without its path.

use bus_runtime::prelude::*;

#[react("wiki.#", formerly = "on_page")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
