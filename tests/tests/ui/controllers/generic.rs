//! A generic controller.

use bus_runtime::prelude::*;

struct Wiki<T>(T);

#[controller]
impl<T: Send + Sync + 'static> Wiki<T> {
    #[react("wiki.#")]
    async fn on_wiki(&self, _key: RoutingKey) {}
}

fn main() {}
