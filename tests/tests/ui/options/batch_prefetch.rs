//! A prefetch that never fills a batch.

use bus_runtime::prelude::*;

#[react("page.viewed", batch(size = 100), prefetch = 50)]
async fn count(_views: Vec<Json>) {}

fn main() {}
