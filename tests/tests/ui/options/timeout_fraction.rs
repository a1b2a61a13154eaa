//! A fraction of a second.

use bus_runtime::prelude::*;

#[react("wiki.#", timeout = 1.5)]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
