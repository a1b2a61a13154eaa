//! A method that wants its instance in a box.

use bus_runtime::prelude::*;

struct Wiki;

#[controller]
impl Wiki {
    #[react("wiki.#")]
    async fn on_wiki(self: Box<Self>, _key: RoutingKey) {}
}

fn main() {}
