//! A name that is no text.

use bus_runtime::prelude::*;

struct Wiki;

#[controller(Wiki)]
impl Wiki {
    #[react("wiki.#")]
    async fn on_wiki(&self, _key: RoutingKey) {}
}

fn main() {}
