//! A word that is not one of the four.

use bus_runtime::prelude::*;

#[react("wiki.#", on_error = "deadletter")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
