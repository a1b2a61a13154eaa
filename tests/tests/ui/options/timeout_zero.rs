//! A timeout that nobody can meet.

use bus_runtime::prelude::*;

#[react("wiki.#", timeout = 0)]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
