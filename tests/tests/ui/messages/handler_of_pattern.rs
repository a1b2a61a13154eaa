//! A binding key where a type belongs.

use bus_runtime::prelude::*;

#[message_handler("user.create")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
