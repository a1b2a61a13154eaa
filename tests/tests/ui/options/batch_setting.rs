//! A setting of `batch` under the name that other frameworks give it, and one that is too large.

use bus_runtime::prelude::*;

#[react("page.viewed", batch(size = 20_000, max_wait = "1s"))]
async fn count(_views: Vec<Json>) {}

fn main() {}
