//! The same key twice in one attribute.

use bus_runtime::prelude::*;

#[react("wiki.#", "wiki.#")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
