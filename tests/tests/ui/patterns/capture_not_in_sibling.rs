//! A word that another attribute does not capture.

use bus_runtime::prelude::*;

#[react("wiki.{page}.edited")]
#[audit("wiki.#")]
async fn on_wiki(page: u64) {
    let _ = page;
}

fn main() {}
