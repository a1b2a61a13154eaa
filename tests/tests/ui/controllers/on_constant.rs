//! A handler that is a constant.

use bus_runtime::prelude::*;

struct Wiki;

#[controller]
impl Wiki {
    #[react("wiki.#")]
    const PAGES_MAX: u8 = 1;
}

fn main() {}
