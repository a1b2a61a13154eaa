//! A queue that leaves nothing behind.

use bus_runtime::prelude::*;

#[react("wiki.#", fanout = "each", formerly = "wiki::on_page")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
