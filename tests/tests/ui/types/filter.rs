//! A filter with another signature.

use bus_runtime::prelude::*;

fn is_small(length: usize) -> bool {
    length < 10
}

#[react("wiki.#", when = is_small)]
async fn on_wiki() {}

fn main() {}
