//! The wildcard of MQTT.

use bus_runtime::prelude::*;

#[audit("wiki.+.saved")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
