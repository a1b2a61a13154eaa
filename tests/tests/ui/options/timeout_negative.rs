//! A timeout in the past.

use bus_runtime::prelude::*;

#[react("wiki.#", timeout = -1)]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
