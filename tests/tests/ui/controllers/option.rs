//! An option of methods on the controller.

use bus_runtime::prelude::*;

struct Wiki;

#[controller("wiki", timeout = 30)]
impl Wiki {
    #[react("wiki.#")]
    async fn on_wiki(&self, _key: RoutingKey) {}
}

fn main() {}
