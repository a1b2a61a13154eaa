//! A wildcard that is a part of a word.

use bus_runtime::prelude::*;

#[react("wiki.page*")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
