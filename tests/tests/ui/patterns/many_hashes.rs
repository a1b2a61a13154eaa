//! A key that brokers refuse is a warning.

#![deny(warnings)]

use bus_runtime::prelude::*;

#[react("#.wiki.#.page.#")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
