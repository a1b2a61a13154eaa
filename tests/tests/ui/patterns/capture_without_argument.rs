//! A captured word that no argument takes.

use bus_runtime::prelude::*;

#[react("wiki.{page}.edited")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
