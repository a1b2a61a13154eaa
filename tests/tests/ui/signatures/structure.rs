//! The attribute on a struct.

use bus_runtime::prelude::*;

#[react("wiki.#")]
struct OnWiki {
    count: u64,
}

fn main() {}
