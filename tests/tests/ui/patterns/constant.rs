//! A constant where a key belongs.

use bus_runtime::prelude::*;

const WIKI: &str = "wiki.#";

#[react(WIKI)]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
