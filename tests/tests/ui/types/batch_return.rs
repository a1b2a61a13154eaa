//! A return value that says nothing about many messages.

use bus_runtime::prelude::*;

#[react("page.viewed", batch(size = 100))]
async fn count(_views: Vec<Json>) -> Vec<u64> {
    Vec::new()
}

fn main() {}
