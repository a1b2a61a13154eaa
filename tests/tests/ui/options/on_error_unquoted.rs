//! A word without its quotes.

use bus_runtime::prelude::*;

#[react("wiki.#", on_error = discard)]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
