//! Retries that are not there.

use bus_runtime::prelude::*;

#[react("wiki.#", retry = "none", on_error = "retry")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
