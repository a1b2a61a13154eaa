//! A path in quotes.

use bus_runtime::prelude::*;

#[react("wiki.#", error_hook = "report")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
