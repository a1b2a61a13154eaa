//! A function for C.

use bus_runtime::prelude::*;

#[react("wiki.#")]
extern "C" fn on_wiki() {}

fn main() {}
