//! A method that does not say what it receives.

use bus_runtime::prelude::*;

struct Wiki;

#[controller]
impl Wiki {
    #[react]
    async fn on_wiki(&self, _key: RoutingKey) {}
}

fn main() {}
