//! A value that the attribute cannot see.

use bus_runtime::prelude::*;

const LIMIT: u64 = 30;

#[react("wiki.#", timeout = LIMIT)]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
