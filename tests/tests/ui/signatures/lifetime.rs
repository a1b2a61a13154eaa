//! A lifetime in a handler.

use bus_runtime::prelude::*;

struct Borrows<'a>(&'a str);

#[react("wiki.#")]
async fn on_wiki<'a>(key: Borrows<'a>) {
    let _ = key.0;
}

fn main() {}
