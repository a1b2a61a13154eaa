//! An unsafe fn.

use bus_runtime::prelude::*;

#[react("wiki.#")]
async unsafe fn on_wiki() {}

fn main() {}
