//! One option in two attributes that share a queue.

use bus_runtime::prelude::*;

#[react("wiki.#", timeout = 30)]
#[react("scm.#", timeout = 60)]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
