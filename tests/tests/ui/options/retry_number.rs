//! A number where settings belong.

use bus_runtime::prelude::*;

#[react("wiki.#", retry = 3)]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
