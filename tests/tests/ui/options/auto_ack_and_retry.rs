//! A message that is gone cannot be tried again.

use bus_runtime::prelude::*;

#[react("wiki.#", auto_ack = true, retry(max = 3))]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
