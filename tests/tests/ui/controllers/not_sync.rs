//! A controller that tasks cannot share.

use std::cell::Cell;

use bus_runtime::prelude::*;

struct Wiki(Cell<u64>);

#[controller]
impl Wiki {
    #[react("wiki.#")]
    async fn on_wiki(&self, _key: RoutingKey) {}
}

fn main() {}
