//! The long form of async fn.

use bus_runtime::prelude::*;

#[react("wiki.#")]
fn on_wiki(_key: RoutingKey) -> impl Future<Output = ()> {
    async {}
}

fn main() {}
