//! A method that wants its instance for itself.

use bus_runtime::prelude::*;

struct Wiki(u64);

#[controller]
impl Wiki {
    #[react("wiki.#")]
    async fn on_wiki(&mut self, _key: RoutingKey) {
        self.0 += 1;
    }
}

fn main() {}
