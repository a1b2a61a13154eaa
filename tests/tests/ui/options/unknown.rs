//! A misspelt option.

use bus_runtime::prelude::*;

#[react("wiki.#", timout = 30)]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
