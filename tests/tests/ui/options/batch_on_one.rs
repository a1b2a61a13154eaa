//! `batch` on one of two attributes.

use bus_runtime::prelude::*;

#[react("page.viewed", batch(size = 100))]
#[audit("page.count")]
async fn count(_views: Vec<Json>) {}

fn main() {}
