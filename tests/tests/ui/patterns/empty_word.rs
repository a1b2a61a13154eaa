//! Two dots in a row.

use bus_runtime::prelude::*;

#[react("wiki..edited")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
