//! An option that is like no other.

use bus_runtime::prelude::*;

#[react("wiki.#", colour = "red")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
