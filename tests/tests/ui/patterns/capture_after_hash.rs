//! A word whose position is not known.

use bus_runtime::prelude::*;

#[react("wiki.#.{page}")]
async fn on_wiki(page: u64) {
    let _ = page;
}

fn main() {}
