//! One name for many queues.

use bus_runtime::prelude::*;

#[react("wiki.#", fanout = "each", queue = "billing")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
