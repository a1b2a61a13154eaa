//! A name of the broker's.

use bus_runtime::prelude::*;

#[react("wiki.#", queue = "amq.billing")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
