//! A const fn.

use bus_runtime::prelude::*;

#[react("wiki.#")]
const fn on_wiki() {}

fn main() {}
