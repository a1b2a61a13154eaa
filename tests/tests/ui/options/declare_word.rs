//! Not a word for who declares.

use bus_runtime::prelude::*;

#[react("wiki.#", queue = "orders", declare = "sometimes")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
