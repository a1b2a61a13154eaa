//! Without a binding key.

use bus_runtime::prelude::*;

#[react]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
