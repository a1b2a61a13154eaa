//! A batch that waits for longer than anybody wants.

use bus_runtime::prelude::*;

#[react("page.viewed", batch(size = 100, wait = "1h"))]
async fn count(_views: Vec<Json>) {}

fn main() {}
