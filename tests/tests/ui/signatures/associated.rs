//! An associated function without a controller.

use bus_runtime::prelude::*;

struct Wiki;

impl Wiki {
    #[react("wiki.#")]
    async fn on_wiki(_key: RoutingKey) {}
}

fn main() {}
