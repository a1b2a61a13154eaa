//! A controller that is a type.

use bus_runtime::prelude::*;

#[controller]
struct Wiki {
    _pages: u8,
}

fn main() {}
