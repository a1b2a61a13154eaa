//! A word that one of two keys does not capture.

use bus_runtime::prelude::*;

#[react("wiki.{page}.edited", "wiki.#")]
async fn on_wiki(page: u64) {
    let _ = page;
}

fn main() {}
