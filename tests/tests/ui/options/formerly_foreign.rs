//! Nothing is moved into a queue of others.

use bus_runtime::prelude::*;

#[react("wiki.#", queue = "orders", declare = "never", formerly = "wiki::on_page")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
