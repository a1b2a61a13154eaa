//! One option twice.

use bus_runtime::prelude::*;

#[react("wiki.#", timeout = 30, timeout = 60)]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
