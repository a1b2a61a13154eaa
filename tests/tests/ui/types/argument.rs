//! A type that is made of no message.

use bus_runtime::prelude::*;

struct PageEdited;

#[react("wiki.#")]
async fn on_wiki(page: PageEdited) {
    let _ = page;
}

fn main() {}
