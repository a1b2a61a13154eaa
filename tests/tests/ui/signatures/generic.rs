//! One function for all types.

use bus_runtime::prelude::*;

#[react("wiki.#")]
async fn on_wiki<T: Send>(data: Json<T>) {
    let _ = data;
}

fn main() {}
