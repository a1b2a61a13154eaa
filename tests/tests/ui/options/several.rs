//! All mistakes of an attribute are reported at once.

use bus_runtime::prelude::*;

#[react("wiki.page*", timout = 30, timeout = 0, concurrency = 0)]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
