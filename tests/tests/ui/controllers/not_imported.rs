//! An attribute of a method that is not in scope.

use bus_runtime::{RoutingKey, controller};

struct Wiki;

#[controller]
impl Wiki {
    #[react("wiki.#")]
    async fn on_wiki(&self, _key: RoutingKey) {}
}

fn main() {}
