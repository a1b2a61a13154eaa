//! A controller that is one of several types with the same name.

use bus_runtime::prelude::*;

struct Wiki<T>(T);

#[controller]
impl Wiki<u8> {
    #[react("wiki.#")]
    async fn on_wiki(&self, _key: RoutingKey) {}
}

fn main() {}
