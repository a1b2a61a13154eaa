//! Without a type.

use bus_runtime::prelude::*;

#[message_handler]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
