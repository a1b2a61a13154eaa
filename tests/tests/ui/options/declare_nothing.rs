//! Nothing is named that others could declare.

use bus_runtime::prelude::*;

#[react("wiki.#", declare = "never")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
