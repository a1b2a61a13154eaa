//! The type of the controller as an argument.

use bus_runtime::prelude::*;

struct Wiki;

#[controller]
impl Wiki {
    #[react("wiki.#")]
    async fn on_wiki(&self, _other: Option<Self>) {}
}

fn main() {}
