//! Two attributes of a method that say the same.

use bus_runtime::prelude::*;

struct Wiki;

#[controller]
impl Wiki {
    #[react("wiki.#", timeout = 30)]
    #[react("scm.#", "wiki.#", timeout = 40)]
    async fn on_wiki(&self, _key: RoutingKey) {}
}

fn main() {}
