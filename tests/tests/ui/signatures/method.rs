//! A method without a controller.

use bus_runtime::prelude::*;

struct Wiki;

impl Wiki {
    #[react("wiki.#")]
    async fn on_wiki(&self, _key: RoutingKey) {}
}

fn main() {}
