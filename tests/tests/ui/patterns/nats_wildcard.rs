//! The wildcard of NATS.

use bus_runtime::prelude::*;

#[audit("wiki.>")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
