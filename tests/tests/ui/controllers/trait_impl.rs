//! Handlers in the implementation of a trait.

use bus_runtime::prelude::*;

trait Listener {
    async fn on_wiki(&self, key: RoutingKey);
}

struct Wiki;

#[controller]
impl Listener for Wiki {
    #[react("wiki.#")]
    async fn on_wiki(&self, _key: RoutingKey) {}
}

fn main() {}
