//! A controller that is a function.

use bus_runtime::prelude::*;

#[controller]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
