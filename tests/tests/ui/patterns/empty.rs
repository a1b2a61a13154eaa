//! A binding key without a word.

use bus_runtime::prelude::*;

#[react("")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
