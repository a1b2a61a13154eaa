//! An option without its value.

use bus_runtime::prelude::*;

#[react("wiki.#", exclusive)]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
