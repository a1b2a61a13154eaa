//! What a quorum queue cannot do.

use bus_runtime::prelude::*;

#[react("wiki.#", queue_type = "quorum", max_priority = 10)]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
