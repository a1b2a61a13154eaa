//! A queue for each worker that others declare.

use bus_runtime::prelude::*;

#[react("wiki.#", queue = "orders", declare = "never", fanout = "each")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
