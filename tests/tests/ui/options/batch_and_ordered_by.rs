//! `batch` and `ordered_by`.

use bus_runtime::prelude::*;

#[react("page.viewed", batch(size = 100), ordered_by = "page")]
async fn count(_views: Vec<Json>) {}

fn main() {}
