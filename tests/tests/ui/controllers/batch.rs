//! `batch` on a method that is called for each instance.

use bus_runtime::prelude::*;

struct Wiki;

#[controller]
impl Wiki {
    #[react("page.viewed", batch(size = 100))]
    async fn count(&self, _views: Vec<Json>) {}
}

fn main() {}
