//! A message that is gone cannot be dead-lettered.

use bus_runtime::prelude::*;

#[react("wiki.#", ack = "on_receive", on_error = "dead_letter")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
