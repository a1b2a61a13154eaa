//! A name without a letter.

use bus_runtime::prelude::*;

#[react("wiki.#", name = "")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
