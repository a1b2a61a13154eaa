//! The same key in two attributes.

use bus_runtime::prelude::*;

#[react("wiki.#")]
#[react("wiki.#")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
