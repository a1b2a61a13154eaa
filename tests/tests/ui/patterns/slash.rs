//! The separator of MQTT and HTTP.

use bus_runtime::prelude::*;

#[react("wiki/#")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
