//! The colon of a struct.

use bus_runtime::prelude::*;

#[react("wiki.#", timeout: 30)]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
