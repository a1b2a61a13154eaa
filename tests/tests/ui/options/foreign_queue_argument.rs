//! The queue is declared by others, with their arguments.

use bus_runtime::prelude::*;

#[react("wiki.#", queue = "orders", declare = "never", ttl = "5m")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
