//! More than AMQP can carry.

use bus_runtime::prelude::*;

#[react("wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.wiki.#")]
async fn on_wiki(_key: RoutingKey) {}

fn main() {}
