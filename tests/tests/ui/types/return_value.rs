//! A value that is no outcome.

use bus_runtime::prelude::*;

#[react("wiki.#")]
async fn on_wiki() -> String {
    String::new()
}

fn main() {}
