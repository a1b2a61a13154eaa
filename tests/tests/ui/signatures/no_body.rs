//! A method of a trait.

use bus_runtime::prelude::*;

trait Wiki {
    #[react("wiki.#")]
    async fn on_wiki(_key: RoutingKey);
}

fn main() {}
