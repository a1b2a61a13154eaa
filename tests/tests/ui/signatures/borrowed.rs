//! A borrowed argument.

use bus_runtime::prelude::*;

#[react("wiki.#")]
async fn on_wiki(key: &RoutingKey) {
    let _ = key;
}

fn main() {}
