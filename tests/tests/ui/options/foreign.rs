//! An option of another framework.

use bus_runtime::prelude::*;

#[react("wiki.#", max_retries = 5)]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
