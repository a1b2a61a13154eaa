//! An argument that a message is no source of.

use bus_runtime::prelude::*;

struct Wiki;

struct Page;

#[controller]
impl Wiki {
    #[react("wiki.#")]
    async fn on_wiki(&self, _page: Page) {}
}

fn main() {}
