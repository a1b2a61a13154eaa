//! A number for a flag.

use bus_runtime::prelude::*;

#[react("wiki.#", single_active = 1)]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
