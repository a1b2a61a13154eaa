//! An argument without one type.

use bus_runtime::prelude::*;

#[react("wiki.#")]
async fn on_wiki(key: impl Send) {
    let _ = key;
}

fn main() {}
