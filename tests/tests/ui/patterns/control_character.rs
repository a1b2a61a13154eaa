//! A character that nobody means.

use bus_runtime::prelude::*;

#[react("wiki\0.page")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
