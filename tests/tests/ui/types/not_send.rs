//! A future that stays on its thread.

use bus_runtime::prelude::*;

#[react("wiki.#")]
async fn on_wiki() {
    let local = std::rc::Rc::new(1);
    tokio::task::yield_now().await;
    drop(local);
}

fn main() {}
