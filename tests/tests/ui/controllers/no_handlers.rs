//! A controller without handlers.

use bus_runtime::prelude::*;

struct Wiki;

#[controller]
impl Wiki {
    async fn on_wiki(&self, _key: RoutingKey) {}
}

fn main() {}
