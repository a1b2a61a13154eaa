//! A method that takes its instance away.

use bus_runtime::prelude::*;

struct Wiki;

#[controller]
impl Wiki {
    #[react("wiki.#")]
    async fn on_wiki(self, _key: RoutingKey) {}
}

fn main() {}
