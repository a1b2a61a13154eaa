//! A misspelt setting of retry.

use bus_runtime::prelude::*;

#[react("wiki.#", retry(max = 3, inital = "1s"))]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
